/** An application with jobs over a database, a data folder and a fake or real handler. */
import { join } from 'node:path'
import type { Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { modelPlaces } from '../../src/commands/workplace.ts'
import type { JobHandler } from '../../src/jobs/job-handler.ts'
import { startJobQueue } from '../../src/jobs/job-queue.ts'
import { JobStore } from '../../src/jobs/job-store.ts'
import { JobWorker } from '../../src/jobs/job-worker.ts'
import { createFiles } from '../../src/services/files.ts'
import { createDatasets } from '../../src/services/datasets.ts'
import { createFineTuning } from '../../src/services/fine-tuning.ts'
import { createJobPlaces } from '../../src/services/job-places.ts'
import { createJobService } from '../../src/services/job-service.ts'
import { openTestDatabase } from '../fixtures/databases.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'

/** Everything is closed with the test, the worker first. */
export async function jobsPlace(t: Test, home: string, handler: JobHandler) {
  const database = await openTestDatabase(t)
  const queue = await startJobQueue(database, (event) => t.comment(JSON.stringify(event)))
  const store = new JobStore(database, queue)
  const places = createJobPlaces(modelPlaces(home), join(home, 'imports'))
  const jobs = createJobService({ store, places, handler: () => handler, maxAttempts: 5 })
  const worker = new JobWorker({
    store,
    handler: () => handler,
    concurrency: 1,
    log: (event) => t.comment(JSON.stringify(event)),
    heartbeatMs: 100,
    pollMs: 50,
    flushMs: 20,
  })
  const files = createFiles({ home })
  const datasets = createDatasets({ home, isInUse: (name) => jobs.isDatasetInUse(name) })
  const app = await buildApp({
    runtimes: [fakeLanguageModel(['Hi'])],
    jobs,
    files,
    datasets,
    fineTuning: createFineTuning({ jobs, files, datasets }),
    onBusy: (busy) => worker.setBusy(busy),
  })
  await worker.start()
  // Teardowns run in reverse: the database closes last.
  t.teardown(async () => {
    await app.close()
    await worker.stop()
    await queue.stop()
  })
  return { app, jobs, worker, store, database }
}
