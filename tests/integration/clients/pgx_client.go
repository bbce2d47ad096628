// Go's pgx: its automatic prepared statements, batches, CopyFrom, notices, a context that cancels, LISTEN.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

func must(isSo bool, what ...interface{}) {
	if !isSo {
		panic(fmt.Sprintln(what...))
	}
}

func try(err error) { must(err == nil, err) }

func main() {
	ctx := context.Background()
	config, err := pgx.ParseConfig("")
	try(err)
	notice := ""
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notice = n.Message }
	c, err := pgx.ConnectConfig(ctx, config)
	try(err)
	for i := 0; i < 5; i++ {
		var n int
		var text string
		var date time.Time
		var array []int32
		try(c.QueryRow(ctx, "SELECT $1::int + 1, $2::text, $3::date, $4::int[]", 41, "it's é",
			time.Date(2020, 2, 3, 0, 0, 0, 0, time.UTC), []int32{1, 2}).Scan(&n, &text, &date, &array))
		must(n == 42 && text == "it's é" && date.Day() == 3 && array[1] == 2, n, text, date, array)
	}
	_, err = c.Prepare(ctx, "named", "SELECT $1::int * 2")
	try(err)
	fmt.Println("parameters and types, prepared over transactions")
	big, same := strings.Repeat("bä", 1000000), ""
	try(c.QueryRow(ctx, "SELECT $1::text", big).Scan(&same))
	must(big == same, "big value")
	fmt.Println("big values")
	_, err = c.Exec(ctx, "CREATE TABLE IF NOT EXISTS xp (a int PRIMARY KEY, b text); TRUNCATE xp")
	try(err)
	tx, err := c.Begin(ctx)
	try(err)
	inner, err := tx.Begin(ctx)
	try(err)
	_, err = inner.Exec(ctx, "INSERT INTO xp VALUES ($1, $2)", 1, "x")
	try(err)
	try(inner.Rollback(ctx))
	try(tx.Commit(ctx))
	count := -1
	try(c.QueryRow(ctx, "SELECT count(*) FROM xp").Scan(&count))
	must(count == 0, "savepoint")
	fmt.Println("transactions with savepoints")
	rows := [][]interface{}{}
	for i := 0; i < 5000; i++ {
		rows = append(rows, []interface{}{i, "row"})
	}
	copied, err := c.CopyFrom(ctx, pgx.Identifier{"xp"}, []string{"a", "b"}, pgx.CopyFromRows(rows))
	try(err)
	must(copied == 5000, "copy", copied)
	out := &strings.Builder{}
	_, err = c.PgConn().CopyTo(ctx, out, "COPY xp TO STDOUT")
	try(err)
	must(strings.Count(out.String(), "\n") == 5000, "copy out")
	fmt.Println("copy")
	batch := &pgx.Batch{}
	for i := 0; i < 50; i++ {
		batch.Queue("named", i)
		batch.Queue("SELECT $1::text", "b")
	}
	results := c.SendBatch(ctx, batch)
	for i := 0; i < 50; i++ {
		n, text := -1, ""
		try(results.QueryRow().Scan(&n))
		try(results.QueryRow().Scan(&text))
		must(n == 2*i && text == "b", "batch", n, text)
	}
	try(results.Close())
	fmt.Println("batches")
	_, err = c.Exec(ctx, "INSERT INTO xp VALUES ($1, 'twice')", 1)
	var failure *pgconn.PgError
	must(errors.As(err, &failure) && failure.Code == "23505", err)
	_, err = c.Exec(ctx, "DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
	try(err)
	must(notice == "hello", notice)
	fmt.Println("errors and notices")
	_, err = c.Exec(ctx, "LISTEN newsx")
	try(err)
	_, err = c.Exec(ctx, "NOTIFY newsx, 'xp'")
	try(err)
	limited, end := context.WithTimeout(ctx, 5*time.Second)
	heard, err := c.WaitForNotification(limited)
	end()
	try(err)
	must(heard.Channel == "newsx" && heard.Payload == "xp", heard)
	fmt.Println("notifications")
	go func() {
		time.Sleep(300 * time.Millisecond)
		try(c.PgConn().CancelRequest(ctx))
	}()
	_, err = c.Exec(ctx, "SELECT pg_sleep(20)")
	must(errors.As(err, &failure) && failure.Code == "57014", err)
	try(c.QueryRow(ctx, "SELECT 7").Scan(&count))
	must(count == 7, "after the cancel")
	fmt.Println("cancel")
	try(c.Close(ctx))
	fmt.Println("done")
}
