import t from 'tap'
import { createPolitePause, maxPauseMs } from '../../src/jobs/polite-pause.ts'

t.test('while busy, a job waits as long as it worked, up to a limit', async (t) => {
  const slept: number[] = []
  const { setBusy, pause } = createPolitePause({ sleep: async (ms) => void slept.push(ms) })
  await pause(100)
  t.same(slept, [], 'nobody is in the way')
  setBusy(true)
  await pause(100)
  await pause(60_000)
  setBusy(false)
  await pause(100)
  t.same(slept, [100, maxPauseMs])
})

t.test('the share of the time is a setting', async (t) => {
  const slept: number[] = []
  const sleep = async (ms: number) => void slept.push(ms)
  for (const busyShare of [1, 0.5, 0.1]) {
    const { setBusy, pause } = createPolitePause({ busyShare, sleep })
    setBusy(true)
    await pause(100)
  }
  t.same(slept, [0, 100, 900])
})

t.test('a pause ends when the server is no longer busy', async (t) => {
  const { setBusy, pause } = createPolitePause()
  setBusy(true)
  const pausing = pause(60_000)
  const started = performance.now()
  setBusy(false)
  await pausing
  t.ok(performance.now() - started < maxPauseMs / 2)
  setBusy(true)
  let isOver = false
  const again = pause(60_000).then(() => (isOver = true))
  await new Promise(setImmediate)
  t.notOk(isOver, 'the next busy time makes it wait again')
  setBusy(false)
  await again
})
