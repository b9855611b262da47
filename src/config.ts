/**
 * The server's configuration: environment and command line, parsed once into a frozen object.
 * Flags win over the environment, the environment over the defaults.
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { DEVICES } from '../schemas/device.ts'
import { fail } from './errors.ts'
import { defaultBusyShare } from './jobs/polite-pause.ts'
import { parseByteSize } from './util/byte-size.ts'

const wholeNumber = (min: number, max: number) => {
  const error = `expected a whole number from ${min} to ${max}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

const byteSize = z.string().transform((text, context) => {
  const bytes = parseByteSize(text)
  if (bytes !== null) return bytes
  context.addIssue({ code: 'custom', message: 'expected a size such as 512MB or 2GiB' })
  return z.NEVER
})

const share = (() => {
  const error = 'expected a share from 0.01 to 1'
  return z.coerce.number({ error }).min(0.01, { error }).max(1, { error })
})()

const Config = z.strictObject({
  /** Where to listen; anything but loopback needs API keys. */
  host: z.string().min(1).default('127.0.0.1'),
  port: wholeNumber(0, 65535).default(8080),
  /** The data folder. */
  home: z.string().min(1),
  /** Where models run; unset: the best there is. */
  device: z.enum(DEVICES, { error: 'expected cpu, webgpu or cuda' }).optional(),
  /** Names or paths of the models to serve; none: the bundled ones. */
  models: z.array(z.string().min(1)).default([]),
  /** Adapters to serve beside those of the data folder: `NAME=DIR`, or a folder that has the name. */
  adapters: z.array(z.string().min(1)).default([]),
  /** The largest request body. */
  bodyLimitBytes: wholeNumber(1024, 1 << 30).default(4 * 1024 * 1024),
  /** The most that one upload may hold, after gunzipping. */
  maxUploadBytes: wholeNumber(1024, Number.MAX_SAFE_INTEGER).default(16 * 1024 ** 3),
  /** Memory of one model for keys and values; unset: what slots and context need. */
  kvMemory: byteSize.optional(),
  /** Replies that one model writes at the same time; unset: what the memory allows, at most 8. */
  slots: wholeNumber(1, 256).optional(),
  /** Tokens of prompt and reply together; unset: the model's, at most 4096. */
  contextLength: wholeNumber(1, 1 << 24).optional(),
  /** Guess at tokens while one reply is written alone. */
  speculative: z.enum(['ngram'], { error: 'expected ngram' }).optional(),
  /** Requests that may wait for a model. */
  queueLimit: wholeNumber(1, 1_000_000).default(256),
  /** Threads of one model; unset: one for each core. */
  threads: wholeNumber(1, 1024).optional(),
  /** Jobs that run at the same time in this server; 0: other workers do them. */
  jobs: wholeNumber(0, 64).default(1),
  /** CPU threads of a job; 0: all cores. */
  jobThreads: wholeNumber(0, 1024).default(0),
  /** Largest memory of a job's process; unset: three quarters of what there is. */
  jobMemoryMb: wholeNumber(128, 100_000_000).optional(),
  /** While replies are written, the share of the time that a job works; 1: it never waits. */
  jobShare: share.default(defaultBusyShare),
  /** Starts of a job's process that bring no progress before the job fails. */
  jobAttempts: wholeNumber(1, 1000).default(5),
  /** The folder below which jobs may import checkpoints; unset: `imports` in the data folder. */
  importDir: z.string().min(1).optional(),
  /** Whose jobs may import from the hub: keys with the scope `admin`, all that may create jobs, or nobody. */
  hubImports: z.enum(['admin', 'jobs', 'off']).default('admin'),
  /** A PostgreSQL server instead of PGlite in the data folder. */
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//, { error: 'expected postgres://user:password@host/database' })
    .optional(),
  /** Responses of `/v1/responses` that are kept for each API key. */
  storedResponses: wholeNumber(1, 10_000_000).default(1000),
  /** A key with the scope `admin`, beside those in the database. */
  apiKey: z
    .string()
    .regex(/^[\x21-\x7e]{16,}$/, { error: 'expected at least 16 characters without spaces' })
    .optional(),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('warn'),
})
export type Config = Readonly<z.infer<typeof Config>>

/** Where each field stands in the environment. */
const variables = {
  host: 'HOST',
  port: 'PORT',
  home: 'STEERLM_HOME',
  device: 'STEERLM_DEVICE',
  models: 'STEERLM_MODELS',
  adapters: 'STEERLM_ADAPTERS',
  bodyLimitBytes: 'STEERLM_BODY_LIMIT_BYTES',
  maxUploadBytes: 'STEERLM_MAX_UPLOAD_BYTES',
  kvMemory: 'STEERLM_KV_MEMORY',
  slots: 'STEERLM_SLOTS',
  contextLength: 'STEERLM_CONTEXT_LENGTH',
  speculative: 'STEERLM_SPECULATIVE',
  queueLimit: 'STEERLM_QUEUE_LIMIT',
  threads: 'STEERLM_THREADS',
  jobs: 'STEERLM_JOBS',
  jobThreads: 'STEERLM_JOB_THREADS',
  jobMemoryMb: 'STEERLM_JOB_MEMORY_MB',
  jobShare: 'STEERLM_JOB_SHARE',
  jobAttempts: 'STEERLM_JOB_ATTEMPTS',
  importDir: 'STEERLM_IMPORT_DIR',
  hubImports: 'STEERLM_HUB_IMPORTS',
  databaseUrl: 'DATABASE_URL',
  storedResponses: 'STEERLM_STORED_RESPONSES',
  apiKey: 'STEERLM_API_KEY',
  logLevel: 'STEERLM_LOG_LEVEL',
} as const satisfies Record<keyof Config, string>

/** What the command line may set; the names are the flags'. */
export interface ConfigFlags {
  host?: string
  port?: string
  home?: string
  device?: string
  model?: string[]
  'kv-memory'?: string
  slots?: string
  'context-length'?: string
  'queue-limit'?: string
  speculative?: string
  adapter?: string[]
}

/** Flags that are not called as their field is. */
const fieldOfFlag: Readonly<Record<string, keyof typeof variables>> = {
  model: 'models',
  adapter: 'adapters',
  'kv-memory': 'kvMemory',
  'context-length': 'contextLength',
  'queue-limit': 'queueLimit',
}

/** Fails BAD_ARGUMENT, naming the flag or the variable at fault. */
export function readConfig(flags: ConfigFlags, env: NodeJS.ProcessEnv): Config {
  const given = Object.entries(flags).map(([flag, value]) => [fieldOfFlag[flag] ?? flag, value])
  const fromFlags = withoutEmpty(Object.fromEntries(given))
  const fromEnv = withoutEmpty(
    Object.fromEntries(
      Object.entries(variables).map(([field, variable]) => [field, env[variable]]),
    ),
  )
  for (const field of ['models', 'adapters']) {
    const list = fromEnv[field]
    if (typeof list === 'string') fromEnv[field] = list.split(',').map((name) => name.trim()).filter(Boolean) // prettier-ignore
  }
  const home = { home: join(homedir(), '.steerlm') }
  const result = Config.safeParse({ ...home, ...fromEnv, ...fromFlags })
  if (result.success) {
    return Object.freeze({ ...result.data, home: resolve(result.data.home) })
  }
  const issue = result.error.issues[0]!
  const field = String(issue.path[0]) as keyof typeof variables
  const flag = Object.keys(fieldOfFlag).find((key) => fieldOfFlag[key] === field) ?? field
  const name = field in fromFlags ? `--${flag}` : variables[field]
  const value = { ...fromEnv, ...fromFlags }[field]
  const got = secrets.has(field) ? '' : `, got ${JSON.stringify(value)}`
  return fail('BAD_ARGUMENT', `${name}: ${issue.message}${got}`, { param: name })
}

/** Fields that no log and no message may show. */
const secrets: ReadonlySet<string> = new Set<keyof Config>(['databaseUrl', 'apiKey'])

/** The configuration as it may be shown. */
export function describeConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).map(([field, value]) => [field, secrets.has(field) ? '(set)' : value]),
  )
}

/** Whether other machines can reach the server, or its operator asks for a key anyway. */
export function needsKeys({ host, apiKey }: Config): boolean {
  return apiKey !== undefined || !isLoopback(host)
}

function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/** An empty variable counts as unset. */
function withoutEmpty(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== ''),
  )
}
