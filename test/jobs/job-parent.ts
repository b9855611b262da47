/** A worker's process for `process-handler.test.ts`: starts the attempt it is sent and says which process does it. */
import type { Attempt } from '../../src/jobs/job-handler.ts'
import type { JobSettings } from '../../src/jobs/job-protocol.ts'
import { createProcessHandler } from '../../src/jobs/process-handler.ts'

process.on('message', ({ attempt, settings }: { attempt: Attempt; settings: JobSettings }) => {
  const handler = createProcessHandler({
    entry: new URL('../../src/job-process.ts', import.meta.url),
    settings,
    onSpawn: (pid) => process.send!({ pid }),
  })
  handler.start(attempt, {
    progress() {},
    metrics() {},
    log() {},
    checkpoint: (done) => process.send!({ checkpoint: done }),
  })
})
