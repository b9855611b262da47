/** Joins the parts of a server: model folders → engine processes → application. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { openDatabase, type Database } from './database/index.ts'
import { createEngineClient, type EngineClient } from './services/engine-client.ts'
import { createDatabaseNpcStore } from './services/npcs/database-npc-store.ts'
import { findModels } from './services/model-folders.ts'

export interface Server {
  app: FastifyInstance
  /** The names of the served models. */
  models: string[]
  /** Closes connections, then the engine processes, then the database. */
  close(): Promise<void>
}

const bundledModels = fileURLToPath(new URL('../models/', import.meta.url))

/** Where the models of a data folder and the bundled ones lie, for every command. */
export function modelRoots(home: string): string[] {
  return [join(home, 'models'), bundledModels]
}

const logLine = (event: object): void => void process.stderr.write(`${JSON.stringify(event)}\n`)

/**
 * Opens the database, loads every model, each in its own process, then builds the application; does not listen yet.
 * Fails MODEL_NOT_FOUND, DATABASE_LOCKED, DATABASE_UNAVAILABLE or with what a model failed to load with.
 */
export async function createServer(
  config: Config,
  logger: FastifyServerOptions['logger'] = { level: config.logLevel },
): Promise<Server> {
  const folders = await findModels(config.models, { roots: modelRoots(config.home) })
  const { home, databaseUrl: url } = config
  const database = await openDatabase({ home, url, log: logLine })
  try {
    const server = await serveModels(config, { folders, database, logger })
    return {
      ...server,
      async close() {
        await server.close()
        await database.close()
      },
    }
  } catch (error) {
    await database.close()
    throw error
  }
}

interface Parts {
  folders: Awaited<ReturnType<typeof findModels>>
  /** Stays open. */
  database: Database
  logger: FastifyServerOptions['logger']
}

async function serveModels(config: Config, { folders, database, logger }: Parts): Promise<Server> {
  const { slots, queueLimit, threads, bodyLimitBytes } = config
  const entry = new URL('./engine-process.ts', import.meta.url)
  const engines = await startAll(
    folders.map(({ id, dir }) => {
      const load = { id, slots, queueLimit, threads }
      return () => createEngineClient({ dir, load, entry, log: logLine })
    }),
  )
  const stopEngines = async (): Promise<void> => {
    await Promise.all(engines.map((engine) => engine.dispose()))
  }
  try {
    const npcStore = createDatabaseNpcStore(database)
    const app = await buildApp({ runtimes: engines, npcStore, bodyLimitBytes, logger })
    return {
      app,
      models: engines.map((engine) => engine.info.id),
      async close() {
        await app.close()
        await stopEngines()
      },
    }
  } catch (error) {
    await stopEngines()
    throw error
  }
}

/** All or none: when one fails, the others are shut down again. */
async function startAll(starts: readonly (() => Promise<EngineClient>)[]): Promise<EngineClient[]> {
  const results = await Promise.allSettled(starts.map((start) => start()))
  const engines = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find((result) => result.status === 'rejected')
  if (!failed) return engines
  await Promise.all(engines.map((engine) => engine.dispose()))
  throw failed.reason
}
