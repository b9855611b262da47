/** A job handler under the test's control: attempts start, tell and end when the test says so. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Attempt, JobEnd, JobHandler, JobSink } from '../../src/jobs/job-handler.ts'

export interface FakeAttempt {
  readonly attempt: Attempt
  readonly sink: JobSink
  end(end: JobEnd): void
  /** What the worker asked of it. */
  readonly asked: ('stop' | 'kill' | 'busy' | 'calm')[]
}

export interface FakeHandler extends JobHandler {
  readonly started: FakeAttempt[]
  readonly forgotten: string[]
  /** The n-th attempt that was started, from 0; waits for it. */
  attempt(n: number): Promise<FakeAttempt>
}

export function fakeHandler(): FakeHandler {
  const started: FakeAttempt[] = []
  const forgotten: string[] = []
  return {
    started,
    forgotten,
    async attempt(n) {
      while (started.length <= n) await sleep(5)
      return started[n]!
    },
    start(attempt, sink) {
      let end!: (end: JobEnd) => void
      const ended = new Promise<JobEnd>((resolve) => (end = resolve))
      const asked: FakeAttempt['asked'] = []
      started.push({ attempt, sink, end, asked })
      return {
        ended,
        stop() {
          asked.push('stop')
          end({ type: 'stopped' })
        },
        kill() {
          asked.push('kill')
          end({ type: 'crashed', detail: 'killed' })
        },
        setBusy: (busy) => void asked.push(busy ? 'busy' : 'calm'),
      }
    },
    async forget({ id }) {
      forgotten.push(id)
    },
  }
}
