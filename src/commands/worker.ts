/** `steerlm worker`: does jobs beside servers that share its PostgreSQL server and data folder. */
import { once } from 'node:events'
import { readConfig } from '../config.ts'
import { openDatabase } from '../database/index.ts'
import { fail } from '../errors.ts'
import { jobSettings, startJobs } from '../job-wiring.ts'
import { createRegistry } from '../registry/registry.ts'
import { helpText, parseFlags } from '../util/args.ts'
import { modelPlaces } from './workplace.ts'

const flags = {
  home: { type: 'string', help: 'data folder shared with the servers (STEERLM_HOME, ~/.steerlm)' },
  concurrency: { type: 'integer', min: 1, max: 64, help: 'jobs at a time (STEERLM_JOBS, 1)' },
} as const

const log = (event: object): void => void process.stderr.write(`${JSON.stringify(event)}\n`)

/** Runs until it is told to stop; running jobs then go back into the queue with their checkpoints. */
export async function run(argv: string[]): Promise<number> {
  const { values, help } = parseFlags(argv, flags)
  if (help) {
    console.log(helpText('DATABASE_URL=postgres://… steerlm worker', flags))
    return 0
  }
  const config = readConfig(values.home === undefined ? {} : { home: values.home }, process.env)
  const url = config.databaseUrl ?? fail('BAD_ARGUMENT', 'DATABASE_URL: a worker needs a PostgreSQL server; without one the server does its jobs itself', { param: 'DATABASE_URL' }) // prettier-ignore
  const stop = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  const database = await openDatabase({ home: config.home, url, log })
  try {
    const places = modelPlaces(config.home)
    const settings = jobSettings(config)
    const concurrency = values.concurrency ?? Math.max(1, settings.concurrency)
    const publisher = createRegistry(places)
    const jobs = await startJobs({ ...settings, concurrency, database, places, publisher, log })
    console.log(`steerlm worker: ${concurrency} job${concurrency > 1 ? 's' : ''} at a time`)
    await stop
    await jobs.stop()
    return 0
  } finally {
    await database.close()
  }
}
