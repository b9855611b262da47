/** Joins the parts of a server: model folders → engine processes → application. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { buildApp } from './app.ts'
import type { Config } from './config.ts'
import { createEngineClient, type EngineClient } from './services/engine-client.ts'
import { createMemoryNpcStore } from './services/npcs/npc-store.ts'
import { findModels } from './services/model-folders.ts'

export interface Server {
  app: FastifyInstance
  /** The names of the served models. */
  models: string[]
  /** Closes connections, then the engine processes. */
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
  const engines = await startAll(
    folders.map(
      ({ id, dir }) =>
        () =>
          createEngineClient({
            dir,
            load: {
              id,
              slots: config.slots,
              queueLimit: config.queueLimit,
              threads: config.threads,
            },
            entry: new URL('./engine-process.ts', import.meta.url),
            log: (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
          }),
    ),
  )
  const stopEngines = async (): Promise<void> => {
    await Promise.all(engines.map((engine) => engine.dispose()))
  }
  try {
    const { bodyLimitBytes } = config
    const app = await buildApp({
      runtimes: engines,
      npcStore: createMemoryNpcStore(),
      bodyLimitBytes,
      logger,
    })
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
