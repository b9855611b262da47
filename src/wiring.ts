/** Joins the parts of a server: database, registry, engine processes, jobs, keys → application. */
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { buildApp, type AuthParts } from './app.ts'
import { modelPlaces } from './commands/workplace.ts'
import { needsKeys, type Config } from './config.ts'
import { openDatabase, type Database } from './database/index.ts'
import { fail } from './errors.ts'
import { jobSettings, startJobs, type Jobs } from './job-wiring.ts'
import { createRegistry } from './registry/registry.ts'
import { configuredAdapters, createAdapterService } from './services/adapters.ts'
import { createDatasets } from './services/datasets.ts'
import { createEngineClient } from './services/engine-client.ts'
import type { LoadOptions } from './services/model-runtime.ts'
import type { StartEngine } from './services/engine-pool.ts'
import { createFiles } from './services/files.ts'
import { createFineTuning } from './services/fine-tuning.ts'
import { createKeys } from './services/keys.ts'
import { createModels } from './services/models.ts'
import { createDatabaseNpcStore } from './services/npcs/database-npc-store.ts'
import { createRegistryService } from './services/registry-service.ts'
import { createDatabaseResponseStore } from './services/responses/database-response-store.ts'
import { defaultRetention } from './services/responses/response-store.ts'
import { createServing } from './services/serving.ts'
import { createUsage } from './services/usage.ts'

export interface Server {
  app: FastifyInstance
  /** The names of the models that are served now. */
  readonly models: string[]
  /** Closes connections, then jobs, the database and the engine processes. */
  close(): Promise<void>
}

type Logger = FastifyServerOptions['logger']

const log = (event: object): void => void process.stderr.write(`${JSON.stringify(event)}\n`)

/**
 * Opens the database and loads every model, each in its own process, then builds the application; does not listen
 * yet. Fails MODEL_NOT_FOUND, DATABASE_LOCKED, DATABASE_UNAVAILABLE, BAD_ARGUMENT when other machines could reach it
 * and no key would let them in, or with what a model failed to load with.
 */
export async function createServer(
  config: Config,
  logger: Logger = { level: config.logLevel },
): Promise<Server> {
  const base = await startBase(config)
  const { serving } = base
  const running: Running = {}
  try {
    const app = await assemble(config, { ...base, running, logger })
    return {
      app,
      get models() {
        return serving.list().map((model) => model.info.id)
      },
      async close() {
        await app.close()
        await stop(base, running)
      },
    }
  } catch (error) {
    await stop(base, running)
    throw error
  }
}

type Base = Awaited<ReturnType<typeof startBase>>

/** What starts above the base, as far as it got. */
interface Running {
  jobs?: Jobs
}

/** All of it or nothing; the database opens while the models load, and may refuse before they have. */
async function startBase(config: Config) {
  const { home, databaseUrl: url, models: configured } = config
  const places = modelPlaces(home)
  const registry = createRegistry(places)
  await registry.sweep()
  const start = engineStarter(config)
  const adapters = await configuredAdapters(config)
  const loading = createServing({ ...{ places, configured, adapters, log }, start })
  loading.catch(() => {}) // It is awaited below, but may fail before.
  const closeLoaded = () => loading.then((serving) => serving.close()).catch(() => {})
  const database = await openDatabase({ home, url, log }).catch((error: unknown) => {
    // The refusal need not wait for the models.
    void closeLoaded()
    throw error
  })
  try {
    const auth = await createAuth(config, database)
    return { places, registry, database, auth, serving: await loading }
  } catch (error) {
    void closeLoaded()
    await database.close()
    throw error
  }
}

async function stop({ database, serving, auth }: Base, { jobs }: Running): Promise<void> {
  await jobs?.stop()
  await auth.usage
    .close()
    .catch((error: unknown) => log({ event: 'usage_not_written', error: String(error) }))
  await database.close()
  await serving.close()
}

async function assemble(
  config: Config,
  parts: Base & { running: Running; logger: Logger },
): Promise<FastifyInstance> {
  const { places, registry, database, auth, serving, running, logger } = parts
  const { bodyLimitBytes, home, maxUploadBytes } = config
  const publisher = createRegistryService({
    registry,
    serving,
    places,
    isModelInUse: async (name) => (await running.jobs?.service.isModelInUse(name)) ?? null,
  })
  const jobs = (running.jobs = await startJobs({
    ...jobSettings(config),
    database,
    places,
    publisher,
    log,
  }))
  const isInUse = (name: string): Promise<string | null> => jobs.service.isDatasetInUse(name)
  const datasets = createDatasets({ home, maxUploadBytes, isInUse })
  const files = createFiles({ home, maxUploadBytes })
  await Promise.all([datasets.sweep(), files.sweep()])
  return buildApp({
    runtimes: [],
    models: createModels(serving.list),
    npcStore: createDatabaseNpcStore(database),
    responseStore: createDatabaseResponseStore({
      db: database.db,
      retention: { ...defaultRetention, perKey: config.storedResponses },
    }),
    registry: publisher,
    adapters: createAdapterService({ places, importDir: jobSettings(config).importDir, serving }),
    jobs: jobs.service,
    hubImports: config.hubImports,
    fineTuning: createFineTuning({ jobs: jobs.service, files, datasets }),
    onBusy: jobs.setBusy,
    datasets,
    files,
    auth,
    bodyLimitBytes,
    logger,
  })
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
  return { keys, usage: createUsage({ db, log }), required }
}

const engineSettings = (config: Config): LoadOptions => {
  const { slots, contextLength, kvMemory, queueLimit, speculative, threads, device } = config
  return { slots, contextLength, kvMemoryBytes: kvMemory, queueLimit, speculative, threads, device }
}

/** Each model in a process of its own. */
const engineStarter =
  (config: Config): StartEngine =>
  ({ dir, id }) =>
    createEngineClient({
      dir,
      load: { id, ...engineSettings(config) },
      entry: new URL('./engine-process.ts', import.meta.url),
      log,
    })
