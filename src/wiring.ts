/** Joins the parts of a server: model folders → engine processes → application. */
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { buildApp } from './app.ts'
import { modelPlaces } from './commands/workplace.ts'
import type { Config } from './config.ts'
import { createDatabaseNpcStore } from './services/npcs/database-npc-store.ts'
import { openDatabase, type Database } from './database/index.ts'
import { jobSettings, startJobs, type Jobs } from './job-wiring.ts'
import { createDatasets } from './services/datasets.ts'
import { createFineTuning } from './services/fine-tuning.ts'
import { createFiles } from './services/files.ts'
import { createRegistry } from './registry/registry.ts'
import { createEngineClient } from './services/engine-client.ts'
import type { StartEngine } from './services/engine-pool.ts'
import { createModels } from './services/models.ts'
import { createRegistryService } from './services/registry-service.ts'
import { createServing } from './services/serving.ts'

export interface Server {
  app: FastifyInstance
  /** The names of the models that are served now. */
  readonly models: string[]
  /** Closes connections, then jobs, the database and the engine processes. */
  close(): Promise<void>
}

const log = (event: object): void => void process.stderr.write(`${JSON.stringify(event)}\n`)

/**
 * Loads every model, each in its own process, opens the database, then builds the application; does not listen yet.
 * Fails MODEL_NOT_FOUND, DATABASE_LOCKED, DATABASE_UNAVAILABLE or with what a model failed to load with.
 */
export async function createServer(
  config: Config,
  logger: FastifyServerOptions['logger'] = { level: config.logLevel },
): Promise<Server> {
  const places = modelPlaces(config.home)
  const registry = createRegistry(places)
  await registry.sweep()
  const serving = await createServing({
    places,
    configured: config.models,
    start: engineStarter(config),
    log,
  })
  let database: Database | undefined
  let jobs: Jobs | undefined
  const close = async (): Promise<void> => {
    await jobs?.stop()
    await database?.close()
    await serving.close()
  }
  try {
    const { bodyLimitBytes, home, maxUploadBytes, databaseUrl } = config
    database = await openDatabase({ home, url: databaseUrl, log })
    const registryService = createRegistryService({
      registry,
      serving,
      places,
      isModelInUse: async (name) => (await jobs?.service.isModelInUse(name)) ?? null,
    })
    jobs = await startJobs({
      ...jobSettings(config),
      database,
      places,
      publisher: registryService,
      log,
    })
    const isInUse = (name: string): Promise<string | null> => jobs!.service.isDatasetInUse(name)
    const datasets = createDatasets({ home, maxUploadBytes, isInUse })
    const files = createFiles({ home, maxUploadBytes })
    await Promise.all([datasets.sweep(), files.sweep()])
    const app = await buildApp({
      runtimes: [],
      npcStore: createDatabaseNpcStore(database),
      models: createModels(serving.list),
      registry: registryService,
      jobs: jobs.service,
      fineTuning: createFineTuning({ jobs: jobs.service, files, datasets }),
      onBusy: jobs.setBusy,
      datasets,
      files,
      bodyLimitBytes,
      logger,
    })
    return {
      app,
      get models() {
        return serving.list().map((model) => model.info.id)
      },
      async close() {
        await app.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Each model in a process of its own. */
const engineStarter =
  ({ slots, queueLimit, threads }: Config): StartEngine =>
  ({ dir, id }) =>
    createEngineClient({
      dir,
      load: { id, slots, queueLimit, threads },
      entry: new URL('./engine-process.ts', import.meta.url),
      log,
    })
