/** TLS to the endpoint. Certificates are file paths (`string`) or contents (`Buffer`, or a PEM `string`). */
export interface MilvusTlsOptions {
  /** Certificate authority to trust instead of the system's. */
  ca?: string | Buffer;
  /** Client certificate, for mTLS; needs `key`. */
  cert?: string | Buffer;
  /** Private key of the client certificate; needs `cert`. */
  key?: string | Buffer;
  /** Name expected in the server's certificate, when it is not the host of the address. */
  serverName?: string;
  /**
   * `false` accepts any certificate: for tests only.
   * @defaultValue true
   */
  rejectUnauthorized?: boolean;
  /** The SDK's name of `ca` as a file. */
  rootCertPath?: string;
  /** The SDK's name of `ca` as contents. */
  rootCert?: Buffer;
  /** The SDK's name of `key` as a file. */
  privateKeyPath?: string;
  /** The SDK's name of `key` as contents. */
  privateKey?: Buffer;
  /** The SDK's name of `cert` as a file. */
  certChainPath?: string;
  /** The SDK's name of `cert` as contents. */
  certChain?: Buffer;
  /** The SDK's name of `rejectUnauthorized: false`. */
  skipCertCheck?: boolean;
}

/** HTTP/2 PING, which finds a peer that is gone without having said so. */
export interface MilvusKeepaliveOptions {
  /**
   * Send a PING when nothing was received for this long, in ms. Milvus Lite counts pings below 5 min without data as
   * strikes; a full Milvus allows one every 5 s.
   * @defaultValue 30000
   */
  intervalMs?: number;
  /**
   * Close the connection when a PING is not answered for this long, in ms.
   * @defaultValue 5000
   */
  timeoutMs?: number;
  /**
   * PING also while no call is in flight. Off, because servers may answer it with GOAWAY too_many_pings, and a full
   * Milvus answers no PING before the first request.
   * @defaultValue false
   */
  withoutCalls?: boolean;
}

/** How many connections, and how long to wait for one. A connection carries many calls at once. */
export interface MilvusPoolOptions {
  /**
   * Connections kept open.
   * @defaultValue 1
   */
  minConnections?: number;
  /**
   * Most connections to open when those there are busy. At 100 calls in flight, 4 instead of 1 doubled throughput
   * and halved the tail against a Go server.
   * @defaultValue 4
   */
  maxConnections?: number;
  /**
   * Most calls in flight on one connection; the server's own limit counts too. 100 is what gRPC servers commonly
   * allow.
   * @defaultValue 100
   */
  maxStreamsPerConnection?: number;
  /**
   * Longest a call waits for room on a connection, in ms; its own deadline may be sooner.
   * @defaultValue 5000
   */
  acquireTimeoutMs?: number;
  /**
   * Most calls that wait at once; the next one fails with `MilvusPoolExhaustedError`.
   * @defaultValue 1000
   */
  maxPending?: number;
  /**
   * Most leases at once, each on a connection of its own beside the shared ones; whoever asks for one more waits.
   * @defaultValue 5
   */
  maxLeases?: number;
  /**
   * Close a connection that had no call for this long, in ms, as long as there are more than `minConnections`. 0: never.
   * Longer than the pauses of usual traffic, shorter than what NAT gateways and load balancers forget (cloud ones after
   * 350 s).
   * @defaultValue 300000
   */
  idleTimeoutMs?: number;
  /**
   * Replace a connection that is this old, in ms, ±10 % so that not all are replaced at once: a new one is opened and
   * looked at, takes its place, and the old one closes when its calls have ended. 0: never. So connections find their way
   * to proxies that were added behind a load balancer.
   * @defaultValue 1800000
   */
  maxLifetimeMs?: number;
  /**
   * Ask a connection that had no call for this long, in ms, whether it lives before it gets one. 0: before every call
   * that finds it idle. A round trip, off the path of the call when another connection has room.
   * @defaultValue 30000
   */
  validateAfterIdleMs?: number;
  /**
   * Hard limit of one attempt to connect (name lookup, TCP, TLS and HTTP/2 settings together), in ms.
   * @defaultValue 10000
   */
  connectTimeoutMs?: number;
  keepalive?: MilvusKeepaliveOptions;
  /**
   * Largest answer taken, in bytes, after decompression.
   * @defaultValue 268435456 (256 MiB, the most a Milvus proxy sends by default)
   */
  maxReceiveBytes?: number;
  /**
   * `true`: connections, circuit breaker, retry budget and health checks of its own, even where another client has the very same
   * options; for a tenant whose load must not slow others down. Otherwise clients whose endpoint options are all equal share them.
   * @defaultValue false
   */
  dedicated?: boolean;
}

/** Who is calling: an API key or `user:password` as `token`, or a user with a password. */
export type MilvusCredentials = { token: string } | { username: string; password: string };

/** Gives the credentials as they are now. */
export type MilvusCredentialsFunction = () => MilvusCredentials | Promise<MilvusCredentials>;

/**
 * Whole-call deadlines by the class of the method, in ms. A request's own `timeout` and `with({ timeoutMs })` may be
 * sooner; the earliest wins. Within a method that polls, each RPC is bounded by its own class too.
 */
export interface MilvusTimeoutOptions {
  /**
   * `search`, `query`, `get`, `describe…`, `list…`, `has…` and the like.
   * @defaultValue 10000
   */
  readMs?: number;
  /**
   * `insert`, `upsert`, `delete`.
   * @defaultValue 60000
   */
  writeMs?: number;
  /**
   * Everything that changes collections, indexes, users, databases.
   * @defaultValue 60000
   */
  adminMs?: number;
  /**
   * Methods that poll until something is done: `loadCollection`, `flushSync`, `createCollection` and the like.
   * @defaultValue 600000
   */
  waitMs?: number;
}

export interface MilvusStartupOptions {
  /**
   * - `eager`: the application starts only when Milvus accepted this client's credentials and database.
   * - `background`: the application starts at once and the client keeps trying.
   * - `lazy`: the first call connects.
   * @defaultValue 'eager'
   */
  mode?: 'eager' | 'background' | 'lazy';
  /**
   * Longest the application waits for this client when `eager`, in ms.
   * @defaultValue 10000
   */
  timeoutMs?: number;
}

export interface MilvusShutdownOptions {
  /**
   * Longest that calls in flight may go on after the shutdown began, in ms; what is left is cancelled.
   * @defaultValue 10000
   */
  drainTimeoutMs?: number;
}

export interface MilvusHealthOptions {
  /**
   * How often Milvus is asked how it is (CheckHealth) while it works, in ms, ±10 %; more often while it does not, at least twice a second
   * while somebody calls.
   * @defaultValue 10000
   */
  intervalMs?: number;
  /**
   * Time limit of such a question, and of a health check or ping that names none, in ms. Below the 1 s to 10 s that probes usually allow.
   * @defaultValue 2000
   */
  timeoutMs?: number;
}

/** Finds leases that are not released. */
export interface MilvusLeakDetectionOptions {
  /**
   * Report a lease that is held longer than this, in ms, once, with the stack of its `acquire`.
   * @defaultValue 60000
   */
  thresholdMs?: number;
  /**
   * Report when this client holds more leases than this at once.
   * @defaultValue no limit but `pool.maxLeases`
   */
  maxHeld?: number;
}

/**
 * When and at which pace an RPC is sent again. Only what cannot do harm is: what reads, what sets a state, and whatever HTTP/2 or
 * Milvus's rate limit prove not to have been executed.
 */
export interface MilvusRetryOptions {
  /**
   * Attempts of one RPC in all. Refusals of Milvus's rate limit do not count: those are repeated as long as the call's deadline
   * allows, every 0.25 s to 5 s. `retry: false` switches that off too.
   * @defaultValue 3
   */
  maxAttempts?: number;
  /**
   * Longest pause before the first retry, in ms. A restarted connection is there within as much.
   * @defaultValue 50
   */
  initialDelayMs?: number;
  /**
   * Longest pause before any retry, in ms.
   * @defaultValue 2000
   */
  maxDelayMs?: number;
  /**
   * By how much the longest pause grows with each retry.
   * @defaultValue 2
   */
  multiplier?: number;
  /**
   * How much of a pause is left to chance: all of it (`full`), half of it (`equal`), or nothing (`none`), so that many who lost the same
   * server do not come back in step.
   * @defaultValue 'full'
   */
  jitter?: 'full' | 'equal' | 'none';
}

/** When calls fail at once, because Milvus does not work. */
export interface MilvusCircuitBreakerOptions {
  /**
   * RPCs in a row that fail for want of a Milvus that works, their retries included, until it opens. One that succeeds on any connection
   * begins the count anew; the death of one connection is one failure.
   * @defaultValue 5
   */
  failureThreshold?: number;
  /**
   * Longest that it stays open before a call is let through to try, in ms; it is sooner when Milvus answers the question how it is.
   * @defaultValue 30000
   */
  recoveryTimeoutMs?: number;
  /**
   * Successes that close it again.
   * @defaultValue 2
   */
  halfOpenSuccessThreshold?: number;
  /**
   * Most RPCs at once that try, while it is half-open.
   * @defaultValue 1
   */
  maxHalfOpenRequests?: number;
  /**
   * Opens it also when too many fail among others that succeed, unless there is a connection on which none fails.
   * @defaultValue none
   */
  failureRate?: MilvusFailureRateOptions;
}

export interface MilvusFailureRateOptions {
  /**
   * Share of the RPCs that fail, from 0 to 1.
   * @defaultValue 0.5
   */
  threshold?: number;
  /**
   * RPCs without which the share says nothing.
   * @defaultValue 20
   */
  minimumCalls?: number;
  /**
   * Over how long they are counted, in ms.
   * @defaultValue 10000
   */
  windowMs?: number;
}

/** Bounds the retries of all calls together, so that an outage is not multiplied. */
export interface MilvusRetryBudgetOptions {
  /**
   * Retries for each RPC of the last 10 s. A fifth more load is what a server in trouble can stand.
   * @defaultValue 0.2
   */
  ratio?: number;
  /**
   * Retries for each of the last 10 seconds in any case, for those who call seldom.
   * @defaultValue 1
   */
  minPerSecond?: number;
}

/** Options of one named client. Unknown keys and wrong values are refused when the application starts. */
export interface MilvusClientOptions {
  /**
   * `host:port`, or `http(s)://user:password@host:port/database`; several are tried in turn. IPv6 hosts stand in
   * brackets. Without a port: 443 for `https`, else 19530. Explicit fields beat what stands in the URL.
   */
  address: string | string[];
  /** `true` is TLS with the system's authorities, like an `https` address. */
  tls?: boolean | MilvusTlsOptions;
  /** The SDK's name of `tls: true`. */
  ssl?: boolean;
  pool?: MilvusPoolOptions;
  /** API key or `user:password`. Not together with `username`. */
  token?: string;
  username?: string;
  /** An empty password is allowed. */
  password?: string;
  /**
   * Gives the credentials, where they change at run time; instead of `token`, `username` and `password`. Asked before the first call,
   * again when Milvus refuses what it gave last (gRPC 16), at most once a second, and on `registry.refreshCredentials()`. What Milvus
   * refused is sent once more if they are others by then. It has 5 s to answer.
   */
  credentials?: MilvusCredentialsFunction;
  /**
   * Database of every call that names none.
   * @defaultValue 'default'
   */
  database?: string;
  timeouts?: MilvusTimeoutOptions;
  /** `false`: nothing is sent again, but for what a closing connection provably did not take. */
  retry?: MilvusRetryOptions | false;
  /** `false`: retries are bounded by `retry.maxAttempts` alone. */
  retryBudget?: MilvusRetryBudgetOptions | false;
  /**
   * `throw`: a call that failed rejects with a `MilvusError`, and never looks like success. `status`: it resolves and
   * rejects as with the plain SDK, for code that looks at statuses; only failures that the plain SDK does not know are
   * `MilvusError`s.
   * @defaultValue 'throw'
   */
  errors?: 'throw' | 'status';
  startup?: MilvusStartupOptions;
  shutdown?: MilvusShutdownOptions;
  /** `false`: Milvus is asked only when somebody asks for it. */
  health?: MilvusHealthOptions | false;
  /** `false`: no call fails for what happened to others. */
  circuitBreaker?: MilvusCircuitBreakerOptions | false;
  /** `false`: no stack is captured, nothing reported, and `pool.leaks()` is empty. */
  leakDetection?: MilvusLeakDetectionOptions | false;
}
