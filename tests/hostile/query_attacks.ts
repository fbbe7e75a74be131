/**
 * What a hostile author gives to `titan10 query`. None may change, stop or fill anything. Each fits on a command line.
 * @module
 */
import type { Random } from "../faults/random.ts";

export interface QueryAttack {
  readonly name: string;
  readonly text: (random: Random) => string;
}

export const QUERY_ATTACKS: readonly QueryAttack[] = [
  {
    name: "deep brackets",
    text: (random) => {
      const depth = random.whole(500, 45_000);
      return `select ${"(".repeat(depth)}1${")".repeat(depth)}`;
    },
  },
  {
    name: "many unions",
    text: (random) => Array(random.whole(200, 4_500)).fill("select 1").join(" union all "),
  },
  {
    name: "many operators",
    text: (random) => `select ${Array(random.whole(1_000, 45_000)).fill("1").join("+")}`,
  },
  {
    name: "deep json at run time",
    text: (random) =>
      `select ${random.pick(["repeat('[', N)::json", "repeat('{\"a\":', N)::jsonb"])}`
        .replace("N", String(random.whole(5_000, 5_000_000))),
  },
  {
    name: "deep subqueries",
    text: (random) => {
      const depth = random.whole(50, 4_500);
      return `${"select * from (".repeat(depth)}select 1${") a".repeat(depth)}`;
    },
  },
  {
    name: "a long text",
    text: (random) => `select repeat('x', ${random.whole(10, 1_000)} * 1000000)`,
  },
  {
    name: "a large array",
    text: (random) => `select array_fill(1::numeric, array[${random.whole(1, 100)} * 1000000])`,
  },
  {
    name: "many rows to sort",
    text: (random) =>
      `select g, repeat('x', 500) from generate_series(1, ${
        random.whole(1, 50)
      } * 100000) g order by md5(g::text)`,
  },
  {
    name: "a million answers",
    text: (random) =>
      `select repeat('y', 1000) from generate_series(1, ${random.whole(1, 20)} * 100000)`,
  },
  {
    name: "endless recursion",
    text: () =>
      "with recursive a(n) as (select 1 union all select n + 1 from a) select max(n) from a",
  },
  { name: "sleep", text: (random) => `select pg_sleep(${random.whole(5, 3_600)})` },
  {
    name: "a pattern that explodes",
    text: (random) => `select repeat('a', ${random.whole(50, 5_000)}) ~ '(a*)*(a*)*(a|aa)+$|b\\1'`,
  },
  {
    name: "another role",
    text: (random) =>
      random.pick([
        "select set_config('role', 'none', true), set_config('transaction_read_only', 'off', true)",
        "select set_config('session_authorization', 'default', false)",
        "select set_config('statement_timeout', '0', false), pg_sleep(30)",
      ]),
  },
  {
    name: "others' work ended",
    text: () =>
      "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()",
  },
  {
    name: "locks",
    text: (random) =>
      random.pick([
        "select pg_advisory_lock(n), pg_sleep(0) from generate_series(1, 1000) n",
        "select * from checkpoints for update",
        "table checkpoints; lock table checkpoints",
      ]),
  },
  {
    name: "writes",
    text: (random) =>
      random.pick([
        "with gone as (delete from checkpoints returning 1) select * from gone",
        "select 1; delete from checkpoints",
        "do $$ begin delete from checkpoints; end $$",
        "copy checkpoints to program 'cat'",
        "select lo_create(0)",
        "select query_to_xml('delete from checkpoints', true, true, '')",
        "explain analyze delete from checkpoints",
        "select pg_read_file('/etc/passwd')",
        "select 1) a; drop table checkpoints; --",
      ]),
  },
  {
    name: "noise",
    text: (random) =>
      Array.from(
        { length: random.whole(1, 200) },
        () =>
          random.pick([
            "select",
            "(",
            ")",
            ";",
            "'",
            '"',
            "$$",
            "--",
            "/*",
            "from",
            "ohlcv",
            "1",
            "\n",
            "é",
          ]),
      ).join(" "),
  },
];
