// pgjdbc: server-side prepared statements from the first use on, batches, fetch size, CopyManager, cancel, LISTEN.
import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import java.util.Arrays;
import java.util.Properties;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;

public class JdbcClient {
    static void must(boolean isSo, String what) {
        if (!isSo) {
            throw new AssertionError(what);
        }
    }

    static String one(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            r.next();
            return r.getString(1);
        }
    }

    static void parameters(Connection c) throws SQLException {
        try (PreparedStatement p = c.prepareStatement("SELECT ? + 1, ?::text, ?::date, ?::int[]")) {
            for (int i = 0; i < 8; i++) {
                p.setInt(1, 41);
                p.setString(2, "it's \u00e9");
                p.setDate(3, Date.valueOf("2020-02-03"));
                p.setArray(4, c.createArrayOf("int4", new Object[] {1, null}));
                try (ResultSet r = p.executeQuery()) {
                    r.next();
                    must(r.getInt(1) == 42 && r.getString(2).equals("it's \u00e9"), "row");
                    must(r.getDate(3).toString().equals("2020-02-03"), "date");
                    must(Arrays.equals((Object[]) r.getArray(4).getArray(), new Object[] {1, null}), "array");
                }
            }
        }
        System.out.println("parameters and types, prepared over transactions");
        String big = "b\u00e4".repeat(1000000);
        try (PreparedStatement p = c.prepareStatement("SELECT ?::text")) {
            p.setString(1, big);
            ResultSet r = p.executeQuery();
            r.next();
            must(r.getString(1).equals(big), "big value");
        }
        System.out.println("big values");
    }

    static void transactions(Connection c) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.execute("CREATE TABLE IF NOT EXISTS jp (a int PRIMARY KEY, b text); TRUNCATE jp");
        }
        c.setAutoCommit(false);
        try (PreparedStatement p = c.prepareStatement("INSERT INTO jp VALUES (?, ?)")) {
            for (int i = 0; i < 500; i++) {
                p.setInt(1, i);
                p.setString(2, "row");
                p.addBatch();
            }
            must(p.executeBatch().length == 500, "batch");
        }
        Savepoint savepoint = c.setSavepoint();
        try (Statement s = c.createStatement()) {
            s.execute("INSERT INTO jp VALUES (1, 'twice')");
            must(false, "no error");
        } catch (SQLException error) {
            must(error.getSQLState().equals("23505"), "SQLSTATE");
        }
        c.rollback(savepoint);
        must(one(c, "SELECT count(*) FROM jp").equals("500"), "savepoint");
        try (Statement s = c.createStatement()) {
            s.setFetchSize(50);
            ResultSet r = s.executeQuery("SELECT a FROM jp ORDER BY a");
            int sum = 0;
            while (r.next()) {
                sum += r.getInt(1);
            }
            must(sum == 499 * 250, "portal");
        }
        c.rollback();
        c.setAutoCommit(true);
        must(one(c, "SELECT count(*) FROM jp").equals("0"), "rollback");
        System.out.println("transactions, batches, savepoints, portals, errors");
    }

    static void copy(Connection c) throws Exception {
        StringBuilder rows = new StringBuilder();
        for (int i = 0; i < 5000; i++) {
            rows.append(i).append("\trow\n");
        }
        var manager = c.unwrap(PGConnection.class).getCopyAPI();
        must(manager.copyIn("COPY jp FROM STDIN", new StringReader(rows.toString())) == 5000, "copy in");
        StringWriter out = new StringWriter();
        must(manager.copyOut("COPY (SELECT * FROM jp ORDER BY a) TO STDOUT", out) == 5000, "copy out");
        must(out.toString().equals(rows.toString()), "what came back");
        System.out.println("copy");
    }

    static void others(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            s.execute("DO $$ BEGIN RAISE NOTICE 'hello'; END $$");
            must(s.getWarnings().getMessage().equals("hello"), "notice");
            s.setQueryTimeout(1);
            s.execute("SELECT pg_sleep(20)");
            must(false, "not cancelled");
        } catch (SQLException error) {
            must(error.getSQLState().equals("57014"), "SQLSTATE of a cancel: " + error.getSQLState());
        }
        must(one(c, "SELECT 7").equals("7"), "after the cancel");
        System.out.println("notices and cancel");
        try (Statement s = c.createStatement()) {
            s.execute("LISTEN newsj");
            s.execute("NOTIFY newsj, 'jp'");
        }
        PGNotification[] heard = c.unwrap(PGConnection.class).getNotifications(5000);
        must(heard != null && heard[0].getName().equals("newsj") && heard[0].getParameter().equals("jp"), "notification");
        System.out.println("notifications");
        c.setReadOnly(true);
        try (Statement s = c.createStatement()) {
            s.execute("INSERT INTO jp VALUES (9999, 'no')");
            must(false, "not read only");
        } catch (SQLException error) {
            must(error.getSQLState().equals("25006"), "SQLSTATE of read only: " + error.getSQLState());
        }
        c.setReadOnly(false);
        System.out.println("session characteristics");
    }

    public static void main(String[] words) throws Exception {
        Properties properties = new Properties();
        properties.put("user", System.getenv("PGUSER"));
        properties.put("password", System.getenv("PGPASSWORD"));
        properties.put("sslmode", "verify-full");
        properties.put("sslrootcert", System.getenv("PGSSLROOTCERT"));
        properties.put("prepareThreshold", "1");
        properties.put("readOnlyMode", "always");
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        try (Connection c = DriverManager.getConnection(url, properties)) {
            parameters(c);
            transactions(c);
            copy(c);
            others(c);
        }
        System.out.println("done");
    }
}
