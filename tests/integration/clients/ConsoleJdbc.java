import java.sql.*;

/** The console through pgjdbc: prepared often enough to become a server-side statement, in a transaction of its own. */
class ConsoleJdbc {
    public static void main(String[] arguments) throws SQLException {
        String url = String.format("jdbc:postgresql://%s:%s/reparto", System.getenv("PGHOST"), System.getenv("PGPORT"));
        try (Connection connection = DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
            connection.setAutoCommit(false);
            String value = null;
            try (PreparedStatement statement = connection.prepareStatement("SHOW CONFIG WHERE key = ?")) {
                for (int i = 0; i < 8; i++) {
                    statement.setString(1, "workers");
                    try (ResultSet rows = statement.executeQuery()) {
                        value = rows.next() ? rows.getString("value") : null;
                    }
                }
            }
            connection.commit();
            System.out.println(value);
        }
    }
}
