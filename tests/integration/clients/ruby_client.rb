# Ruby's pg (libpq): parameters, prepared statements, COPY, errors, cancel, LISTEN.
require "pg"

def must(is_so, what) = is_so || abort("#{what} failed")

c = PG.connect
c.prepare("add", "SELECT $1::int + 1 AS a, $2::text AS b, $3::date AS d")
4.times do
  row = c.exec_prepared("add", [41, "it's é", "2020-02-03"])[0]
  must(row == { "a" => "42", "b" => "it's é", "d" => "2020-02-03" }, "prepared: #{row}")
  must(c.exec_params("SELECT $1::int[]", ["{1,NULL}"]).getvalue(0, 0) == "{1,NULL}", "array")
end
puts "parameters and types, prepared over transactions"
big = "bä" * 1_000_000
must(c.exec_params("SELECT $1::text", [big]).getvalue(0, 0).force_encoding("UTF-8") == big, "big value")
puts "big values"
c.exec("SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS rp (a int PRIMARY KEY, b text); TRUNCATE rp")
begin
  c.transaction { c.exec("INSERT INTO rp VALUES (1, 'x')"); raise KeyError }
rescue KeyError
  must(c.exec("SELECT count(*) FROM rp").getvalue(0, 0) == "0", "rollback")
end
must(c.exec("SHOW client_min_messages").getvalue(0, 0) == "warning", "the setting stays")
c.exec("RESET client_min_messages")
puts "rollback"
c.copy_data("COPY rp FROM STDIN") { 5000.times { |n| c.put_copy_data("#{n}\trow\n") } }
count = 0
c.copy_data("COPY rp TO STDOUT") { count += 1 while c.get_copy_data }
must(count == 5000, "copied #{count}")
puts "copy"
begin
  c.exec("INSERT INTO rp VALUES (1, 'twice')")
  abort("no error")
rescue PG::UniqueViolation
end
seen = nil
c.set_notice_processor { |message| seen = message }
c.exec("DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
must(seen.to_s.include?("hello"), "notice")
puts "errors and notices"
c.send_query("SELECT pg_sleep(20)")
sleep 0.3
must(c.cancel.nil?, "cancel")
begin
  c.get_last_result
  abort("not cancelled")
rescue PG::QueryCanceled
end
puts "cancel"
c.exec("LISTEN newsr")
c.exec("NOTIFY newsr, 'rp'")
heard = nil
c.wait_for_notify(5) { |channel, _, payload| heard = [channel, payload] }
must(heard == %w[newsr rp], "notification: #{heard}")
puts "notifications"
c.close
puts "done"
