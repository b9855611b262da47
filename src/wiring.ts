/** Joins the parts of a server: model folders → engine processes → application. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { buildApp, type AuthParts } from './app.ts'
import { needsKeys, type Config } from './config.ts'
import { openDatabase, type Database } from './database/index.ts'
import { fail } from './errors.ts'
import { createEngineClient, type EngineClient } from './services/engine-client.ts'
import { createKeys } from './services/keys.ts'
import { findModels } from './services/model-folders.ts'
import { createUsage } from './services/usage.ts'

export interface Server {
  app: FastifyInstance
  /** The names of the served models. */
  models: string[]
  /** Closes connections, then the engine processes and the database. */
  close(): Promise<void>
}

const bundledModels = fileURLToPath(new URL('../models/', import.meta.url))

/** Where the models of a data folder and the bundled ones lie, for every command. */
export function modelRoots(home: string): string[] {
  return [join(home, 'models'), bundledModels]
}

/** Loads every model, each in its own process, then builds the application; does not listen yet. */
export async function createServer(
  config: Config,
  logger: FastifyServerOptions['logger'] = { level: config.logLevel },
): Promise<Server> {
  const folders = await findModels(config.models, { roots: modelRoots(config.home) })
  const parts = await startParts(config, folders)
  const { engines, auth } = parts
  try {
    const { bodyLimitBytes } = config
    const app = await buildApp({ runtimes: engines, bodyLimitBytes, logger, auth })
    return {
      app,
      models: engines.map((engine) => engine.info.id),
      async close() {
        await app.close()
        await stopParts(parts)
      },
    }
  } catch (error) {
    await stopParts(parts)
    throw error
  }
}

interface Parts {
  engines: EngineClient[]
  database: Database
  auth: AuthParts
}

/** All of it or nothing; the models last, for they take longest and the rest may refuse. */
async function startParts(
  config: Config,
  folders: Awaited<ReturnType<typeof findModels>>,
): Promise<Parts> {
  const { home, databaseUrl: url } = config
  const database = await openDatabase({ home, url, log: logEvent })
  try {
    const auth = await createAuth(config, database)
    const engines = await startAll(folders.map((folder) => () => startEngine(config, folder)))
    return { engines, database, auth }
  } catch (error) {
    await database.close()
    throw error
  }
}

async function stopParts({ engines, database, auth }: Parts): Promise<void> {
  await stopEngines(engines)
  await auth.usage
    .close()
    .catch((error: unknown) => logEvent({ event: 'usage_not_written', error: String(error) }))
  await database.close()
}

async function stopEngines(engines: readonly EngineClient[]): Promise<void> {
  await Promise.all(engines.map((engine) => engine.dispose()))
}

const logEvent = (event: object): void => {
  process.stderr.write(`${JSON.stringify(event)}\n`)
}

/** Fails BAD_ARGUMENT when others can reach the server and no key would let them in. */
async function createAuth(config: Config, { db }: Database): Promise<AuthParts> {
  const keys = createKeys({ db, adminKey: config.apiKey })
  const required = needsKeys(config)
  if (required && !(await keys.hasAny())) {
    fail(
      'BAD_ARGUMENT',
      `--host ${config.host}: other machines can reach it, so it needs API keys, and there are none: ` +
        'run "steerlm keys create --name admin --scope admin", or set STEERLM_API_KEY',
      { param: '--host' },
    )
  }
  return { keys, usage: createUsage({ db, log: logEvent }), required }
}

function startEngine(config: Config, { id, dir }: { id: string; dir: string }) {
  const { slots, queueLimit, threads } = config
  return createEngineClient({
    dir,
    load: { id, slots, queueLimit, threads },
    entry: new URL('./engine-process.ts', import.meta.url),
    log: logEvent,
  })
}

/** All or none: when one fails, the others are shut down again. */
async function startAll(starts: readonly (() => Promise<EngineClient>)[]): Promise<EngineClient[]> {
  const results = await Promise.allSettled(starts.map((start) => start()))
  const engines = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find((result) => result.status === 'rejected')
  if (!failed) return engines
  await stopEngines(engines)
  throw failed.reason
}
