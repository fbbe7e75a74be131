import assert from "node:assert/strict";
import {
  completeDatabaseUrl,
  databaseUrlProblem,
  readDatabaseUrl,
} from "../../lib/config/database_url.ts";

const PLACE = "postgres://u:p%3Fw@db:5432/titan10";

for (
  const [query, mode] of [
    ["", undefined],
    ["?sslmode=disable", "disable"],
    ["?sslmode=require", "verify-full"],
    ["?sslmode=verify-ca", "verify-full"],
    ["?sslmode=verify-full", "verify-full"],
    ["?ssl=true", "verify-full"],
    ["?sslrootcert=system", "verify-full"],
    ["?sslmode=disable&sslrootcert=/ca.pem", "disable"],
    ["?sslrootcert=/ca.pem&sslmode=disable", "disable"],
  ] as const
) {
  Deno.test(`a database URL that ends "${query}" is secured by ${mode ?? "where it leads"}`, () => {
    assert.equal(readDatabaseUrl(PLACE + query).tls.mode, mode);
  });
}

/** What is read of a URL, in short: `user:password@host:port[=address],…/database`. */
function shortOf(url: string): string {
  const { user = "", password = "", hosts, database = "" } = readDatabaseUrl(url);
  const places = hosts.map(({ name, port, address }) =>
    `${name}:${port}${address === undefined ? "" : `=${address}`}`
  );
  return `${user}:${password}@${places.join()}/${database}`;
}

for (
  const [url, short] of [
    [PLACE, "u:p?w@db:5432/titan10"],
    ["postgresql://u@[::1]:5433/db", "u:@::1:5433/db"],
    ["postgres://u@[::1]/db?sslmode=disable", "u:@::1:5432/db"],
    ["postgres://", ":@localhost:5432/"],
    ["postgres://u@/db", "u:@localhost:5432/db"],
    ["postgres://u@127.0.0.1:1/My%20Db", "u:@127.0.0.1:1/My Db"],
    ["postgres://u@127.0.0.1/%D0%91", "u:@127.0.0.1:5432/Б"],
    ["postgres:///db?host=/run/pg&port=7", ":@/run/pg:7/db"],
    ["postgres:///db?host=%2Frun%2Fpg&user=me&password=a+b%2B", "me:a+b+@/run/pg:5432/db"],
    ["postgres://u@/db?host=/run/pg&port=7", "u:@/run/pg:7/db"],
    ["postgres://u@%2Frun%2Fpg:7/db", "u:@/run/pg:7/db"],
    ["postgres://u@a:1,b:2/db", "u:@a:1,b:2/db"],
    ["postgres://u@a,b:2/db", "u:@a:5432,b:2/db"],
    ["postgres://u@a,b/db?port=9", "u:@a:9,b:9/db"],
    ["postgres:///db?host=a,/run/pg&port=1,2", ":@a:1,/run/pg:2/db"],
    ["postgres://u@a,b/db?hostaddr=10.0.0.1,::1", "u:@a:5432=10.0.0.1,b:5432=::1/db"],
    ["postgres://u@/db?hostaddr=10.0.0.1", "u:@10.0.0.1:5432=10.0.0.1/db"],
    ["postgres://u:p@ss@h/one?dbname=two&user=v", "v:p@ss@h:5432/two"],
    ["postgres://u@h/db?application_name=me&application_name=", "u:@h:5432/db"],
  ] as const
) Deno.test(`${url} is read as ${short}`, () => assert.equal(shortOf(url), short));

const REFUSED: readonly (readonly [end: string, expected: RegExp])[] = [
  ["/db?sslmode=prefer", /^sslmode=disable, require, .* do not protect the connection$/],
  ["/db?sslmode=allow", /^sslmode=/],
  ["/db?sslmode=VERIFY-FULL", /^sslmode=/],
  ["/db?ssl=no-verify", /^ssl=true, or sslmode$/],
  ["/db?channel_binding=require", /^channel_binding=prefer or disable, because it is not/],
  ["/db?gssencmode=require", /^gssencmode=disable or prefer, because GSSAPI is not supported$/],
  ["/db?sslcert=/c.pem", /^no sslcert, because client certificates are not supported/],
  ["/db?sslkey=/k.pem", /^no sslkey, /],
  ["/db?sslpassword=hunter2", /^no sslpassword, /],
  ["/db?keepalives=yes", /^keepalives=0 or 1$/],
  ["/db?keepalives_idle=30", /^keepalives_idle=0, because it is the system's/],
  ["/db?connect_timeout=1s", /^connect_timeout in whole seconds$/],
  ["/db?target_session_attrs=master", /^target_session_attrs=any, primary, .* or prefer-standby$/],
  ["/db?service=mine", /^no service, because service files are not read/],
  ["/db?load_balance_hosts=random", /^load_balance_hosts=disable, because hosts are tried/],
  ["/db?connection_limit=5", /^no connection_limit, because DB_POOL_MAX/],
  ["/db?statement_timeout=5000", /^no statement_timeout, because titan10 always sets it/],
  ["/db?TimeZone=Europe/Berlin", /^no TimeZone, /],
  ["/db?options=-c%20datestyle%3DGerman", /^no DateStyle in options, /],
  ["/db?options=--statement-timeout=5", /^no statement_timeout in options, /],
  ["/db?database=other", /^no database, because dbname is its name$/],
  ["/db?pgbouncer=yes", /^pgbouncer=true or false$/],
  ["/db?sslmode", /^each parameter of the URL as name=value$/],
  ["/db?hostaddr=10.0.0.1,10.0.0.2", /^as many addresses in hostaddr as hosts$/],
  ["/db?host=@abstract", /abstract sockets are not supported$/],
  ["/db?host=a,b,c&port=1,2", /^one port for all hosts, or one for each$/],
  [":65536/db", /^a port from 1 to 65535$/],
  [":x/db", /^a host and a port as a number/],
  [":::1/db", /an IPv6 address in brackets/],
  ["/a%zz", /^two hexadecimal digits after each %; % itself is written %25$/],
  ["/100%", /^two hexadecimal digits/],
  ["/a%FF", /^percent-encoded UTF-8/],
  ["/a%00", /without zeros$/],
  ["/db#end", /^a URL beginning postgres:\/\//],
  ["/d b", /^a URL beginning postgres:\/\//],
];

for (const [end, expected] of REFUSED) {
  Deno.test(`a database URL that ends "${end}" is refused with what is expected instead`, () => {
    const problem = databaseUrlProblem(`postgres://u:hunter2@h${end}`);
    assert.match(problem?.message ?? "accepted", expected);
    assert.doesNotMatch(problem!.message, /hunter2/);
  });
}

for (
  const url of [
    "postgres://u:hunter2?secret=1@h/db",
    "postgres://u:hunter2#h@h/db",
    "postgres://u:hunter2/secret@h/db",
    "postgres://u:hunter2%@h/db",
    "mysql://u:hunter2@h/db",
  ]
) {
  Deno.test(`${url} is refused, and its password is not repeated`, () => {
    assert.doesNotMatch(databaseUrlProblem(url)?.message ?? "hunter2", /hunter2|secret/);
  });
}

Deno.test("parameters of a database URL are understood, or left to the server", () => {
  const url = `${PLACE}?${
    [
      "application_name=mine",
      "channel_binding=disable",
      "connect_timeout=3",
      "fallback_application_name=x",
      "gssencmode=prefer",
      "keepalives=0",
      "options=-c%20geqo%3Doff",
      "passfile=/home/me/.pgpass",
      "pgbouncer=true",
      'schema=my"own',
      "sslnegotiation=postgres",
      "sslrootcert=/ca.pem",
      "target_session_attrs=read-write",
      "work_mem=64MB",
    ].join("&")
  }`;
  const { hosts: _, ...read } = readDatabaseUrl(url);
  assert.deepEqual(read, {
    user: "u",
    password: "p?w",
    database: "titan10",
    passwordPath: "/home/me/.pgpass",
    connectTimeoutS: 3,
    keepsAlive: false,
    prepares: false,
    rootCertificatePath: "/ca.pem",
    target: "primary",
    tls: { mode: "verify-full", rootCertificatePath: "/ca.pem" },
    settings: {
      application_name: "mine",
      options: "-c geqo=off",
      search_path: '"my""own"',
      work_mem: "64MB",
    },
  });
});

for (
  const [query, target] of [
    ["postgres://h/db", "any"],
    ["postgres://h,i/db", "primary"],
    ["postgres://h,i/db?target_session_attrs=any", "any"],
    ["postgres://h/db?target_session_attrs=read-write", "primary"],
    ["postgres://h/db?target_session_attrs=read-only", "standby"],
    ["postgres://h/db?target_session_attrs=prefer-standby", "prefer-standby"],
  ] as const
) {
  Deno.test(`${query} asks for a server that is: ${target}`, () => {
    assert.equal(readDatabaseUrl(query).target, target);
  });
}

Deno.test("what a database URL leaves out is what psql's variables say", () => {
  const variables = {
    PGHOST: "other",
    PGPORT: "6000",
    PGDATABASE: "d b",
    PGUSER: "me",
    PGPASSWORD: "a&b+",
    PGSSLMODE: "disable",
    USER: "root",
  };
  const complete = (url: string): string => shortOf(completeDatabaseUrl(url, variables));
  assert.equal(complete("postgres://"), "me:a&b+@other:6000/d b");
  assert.equal(complete("postgres://u:p@h:1/db?sslmode=require"), "u:p@h:1/db");
  assert.equal(complete("postgres://h/db"), "me:a&b+@h:6000/db");
  assert.equal(complete("postgres:///db?host=/run"), "me:a&b+@/run:6000/db");
  const modeOf = (url: string): unknown =>
    readDatabaseUrl(completeDatabaseUrl(url, variables)).tls.mode;
  assert.equal(modeOf("postgres://h/db"), "disable");
  assert.equal(modeOf("postgres://h/db?sslmode=require"), "verify-full");
  for (
    const query of ["ssl=true", "SSL=true", "sslaccept=strict", "requiressl=1", "sslrootcert=/c"]
  ) {
    assert.equal(modeOf(`postgres://h/db?${query}`), "verify-full", query);
  }
  for (const mode of ["sslmode", "SSLMODE"]) {
    for (const variable of ["PGREQUIRESSL", "PGSSLMODE"]) {
      const value = variable === "PGREQUIRESSL" ? "1" : "verify-full";
      const complete = completeDatabaseUrl(`postgres://h/db?${mode}=disable`, {
        [variable]: value,
      });
      assert.equal(readDatabaseUrl(complete).tls.mode, "disable", variable);
    }
  }
  assert.equal(
    readDatabaseUrl(
      completeDatabaseUrl("postgres://h/db", { PGREQUIRESSL: "1", PGSSLMODE: "disable" }),
    )
      .tls.mode,
    "disable",
    "as libpq: sslmode is stronger than requiressl",
  );
  assert.equal(
    shortOf(completeDatabaseUrl("postgres://h/db", { USER: "root" })),
    "root:@h:5432/db",
  );
  assert.equal(completeDatabaseUrl(PLACE, {}), PLACE);
});
