# Perl's DBD::Pg: server-side prepared statements, COPY, errors, notices, cancel, LISTEN.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:pg_types :async);

my $c = DBI->connect("dbi:Pg:", $ENV{PGUSER}, $ENV{PGPASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
$c->{pg_server_prepare} = 1;
$c->{pg_switch_prepared} = 1;
my $add = $c->prepare("SELECT ?::int + 1, ?::text, ?::date");
for (1 .. 4) {
    $add->execute(41, "it's é", "2020-02-03");
    my @row = $add->fetchrow_array;
    die "@row" unless $row[0] == 42 && $row[1] eq "it's é" && $row[2] eq "2020-02-03";
}
my ($array) = $c->selectrow_array("SELECT ?::int[]", undef, [ 1, undef, 3 ]);
die "array" unless $array->[2] == 3;
print "parameters and types, prepared over transactions\n";
my $big = "b" x 3_000_000;
my ($same) = $c->selectrow_array("SELECT ?::text", undef, $big);
die "big value" unless $same eq $big;
print "big values\n";
$c->do("CREATE TABLE IF NOT EXISTS pp (a int PRIMARY KEY, b text)");
$c->do("TRUNCATE pp");
$c->begin_work;
$c->do("INSERT INTO pp VALUES (?, ?)", undef, 1, "x");
$c->pg_savepoint("one");
$c->do("INSERT INTO pp VALUES (2, 'y')");
$c->pg_rollback_to("one");
die "savepoint" unless ($c->selectrow_array("SELECT count(*) FROM pp"))[0] == 1;
$c->rollback;
die "rollback" unless ($c->selectrow_array("SELECT count(*) FROM pp"))[0] == 0;
print "transactions with savepoints\n";
$c->do("COPY pp FROM STDIN");
$c->pg_putcopydata("$_\trow\n") for 0 .. 4999;
$c->pg_putcopyend;
$c->do("COPY pp TO STDOUT");
my ($count, $line) = (0, "");
$count++ while $c->pg_getcopydata(\$line) >= 0;
die "copied $count" unless $count == 5000;
print "copy\n";
die "no error" if eval { $c->do("INSERT INTO pp VALUES (1, 'twice')"); 1 };
die $c->state unless $c->state eq "23505";
my $seen = "";
{
    local $SIG{__WARN__} = sub { $seen .= shift };
    $c->do("DO \$\$ BEGIN RAISE NOTICE 'hello'; END \$\$");
}
die "notice: $seen" unless $seen =~ /hello/;
print "errors and notices\n";
$c->do("SELECT pg_sleep(20)", { pg_async => PG_ASYNC });
select(undef, undef, undef, 0.3);
die "cancel" unless $c->pg_cancel;
die "after the cancel" unless ($c->selectrow_array("SELECT 7"))[0] == 7;
print "cancel\n";
$c->do("LISTEN newsp");
$c->do("NOTIFY newsp, 'pp'");
my ($heard, $end) = (undef, time + 5);
until ($heard = $c->pg_notifies) { die "no notification" if time > $end; select(undef, undef, undef, 0.01); }
die "@$heard" unless $heard->[0] eq "newsp" && $heard->[2] eq "pp";
print "notifications\n";
$c->disconnect;
print "done\n";
