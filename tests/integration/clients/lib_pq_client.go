// Go's lib/pq under database/sql: prepared statements, transactions, CopyIn, errors, a context that cancels, a listener.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
)

func must(isSo bool, what ...interface{}) {
	if !isSo {
		panic(fmt.Sprintln(what...))
	}
}

func try(err error) { must(err == nil, err) }

func main() {
	db, err := sql.Open("postgres", "")
	try(err)
	db.SetMaxOpenConns(3)
	add, err := db.Prepare("SELECT $1::int + 1, $2::text, $3::date::text, $4::int[]")
	try(err)
	for i := 0; i < 5; i++ {
		var n int
		var text, date string
		var array []int64
		try(add.QueryRow(41, "it's é", "2020-02-03", pq.Array([]int64{1, 2})).Scan(&n, &text, &date, pq.Array(&array)))
		must(n == 42 && text == "it's é" && date == "2020-02-03" && array[1] == 2, n, text, date, array)
	}
	fmt.Println("parameters and types, prepared over transactions")
	big, same := strings.Repeat("bä", 1000000), ""
	try(db.QueryRow("SELECT $1::text", big).Scan(&same))
	must(big == same, "big value")
	fmt.Println("big values")
	_, err = db.Exec("CREATE TABLE IF NOT EXISTS gp (a int PRIMARY KEY, b text); TRUNCATE gp")
	try(err)
	tx, err := db.Begin()
	try(err)
	_, err = tx.Exec("INSERT INTO gp VALUES ($1, $2)", 1, "x")
	try(err)
	try(tx.Rollback())
	count := -1
	try(db.QueryRow("SELECT count(*) FROM gp").Scan(&count))
	must(count == 0, "rollback")
	fmt.Println("rollback")
	tx, err = db.Begin()
	try(err)
	in, err := tx.Prepare(pq.CopyIn("gp", "a", "b"))
	try(err)
	for i := 0; i < 5000; i++ {
		_, err = in.Exec(i, "row")
		try(err)
	}
	_, err = in.Exec()
	try(err)
	try(in.Close())
	try(tx.Commit())
	try(db.QueryRow("SELECT count(*) FROM gp").Scan(&count))
	must(count == 5000, "copy", count)
	fmt.Println("copy")
	_, err = db.Exec("INSERT INTO gp VALUES ($1, 'twice')", 1)
	var failure *pq.Error
	must(errors.As(err, &failure) && failure.Code == "23505", err)
	fmt.Println("errors")
	limited, end := context.WithTimeout(context.Background(), 300*time.Millisecond)
	_, err = db.ExecContext(limited, "SELECT pg_sleep(20)")
	end()
	must(err != nil, "not cancelled")
	try(db.QueryRow("SELECT 7").Scan(&count))
	must(count == 7, "after the cancel")
	fmt.Println("cancel")
	listener := pq.NewListener("", time.Second, time.Second, nil)
	try(listener.Listen("newsg"))
	_, err = db.Exec("NOTIFY newsg, 'gp'")
	try(err)
	select {
	case heard := <-listener.Notify:
		must(heard != nil && heard.Channel == "newsg" && heard.Extra == "gp", heard)
	case <-time.After(5 * time.Second):
		panic("no notification")
	}
	try(listener.Close())
	fmt.Println("notifications")
	try(db.Close())
	fmt.Println("done")
}
