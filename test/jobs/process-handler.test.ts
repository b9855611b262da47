/** Job processes with real, tiny trainings: results, stopping, kills, memory, names of others. */
import { fork } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { JobEnd, JobSink } from '../../src/jobs/job-handler.ts'
import { createProcessHandler } from '../../src/jobs/process-handler.ts'
import { createTinyHome, drawTokenRows } from '../fixtures/tiny-home.ts'

const entry = new URL('../../src/job-process.ts', import.meta.url)
const STEPS = 30

const spec = (name: string) => ({
  stage: 'pretrain' as const,
  data: 'rows',
  base: 'base',
  name,
  max_steps: STEPS,
  batch_size: 8,
  lr: 0.01,
  checkpoint_every: 5,
})

async function prepare(t: Test, memoryBytes = 2 ** 40) {
  const tiny = createTinyHome(t.testdir())
  await tiny.tokenRows('rows', drawTokenRows(60))
  await tiny.model('base')
  const settings = { home: tiny.home, importDir: join(tiny.home, 'imports'), threads: 1, busyShare: 0.2, memoryBytes } // prettier-ignore
  const pids: number[] = []
  const handler = createProcessHandler({ entry, settings, onSpawn: (pid) => pids.push(pid) })
  return { ...tiny, handler, pids, settings }
}

/** A sink that remembers, and resolves when a checkpoint at or above a step was told of. */
function recorder() {
  const steps: number[] = []
  const lines: string[] = []
  const waiting: { from: number; done: () => void }[] = []
  const told = { checkpoints: 0 }
  const sink: JobSink = {
    progress() {},
    metrics: ({ step }) => void steps.push(step as number),
    log: (line) => void lines.push(line),
    checkpoint(done) {
      told.checkpoints += 1
      for (const item of waiting) if (done >= item.from) item.done()
    },
  }
  const checkpoint = (from: number) =>
    new Promise<void>((done) => {
      waiting.push({ from, done })
    })
  return Object.assign(told, { sink, steps, lines, checkpoint })
}

const attempt = (id: string, name: string, number = 1) => ({
  kind: 'train' as const,
  spec: spec(name),
  id,
  number,
})

const hashOf = (end: JobEnd): unknown =>
  end.type === 'succeeded' ? (end.result as { weights_sha256: string }).weights_sha256 : end

t.test('killed, stopped and started again, a training ends in the same weights', async (t) => {
  const { handler, home, pids } = await prepare(t)
  const whole = recorder()
  const expected = hashOf(await handler.start(attempt('a', 'whole'), whole.sink).ended)
  t.match(expected, /^[0-9a-f]{64}$/, whole.lines.join('\n'))
  t.equal(whole.steps.length, STEPS)

  const first = recorder()
  const killed = handler.start(attempt('b', 'killed'), first.sink)
  await first.checkpoint(5)
  process.kill(pids.at(-1)!, 'SIGKILL')
  t.same(await killed.ended, { type: 'crashed', detail: 'signal SIGKILL' })

  const second = recorder()
  const stopped = handler.start(attempt('b', 'killed', 2), second.sink)
  await second.checkpoint(15)
  stopped.stop()
  t.same(await stopped.ended, { type: 'stopped' }, second.lines.join('\n'))
  // What the killed worker may not have stored is told again; the steps before the checkpoint are not done again.
  t.same([...new Set(second.steps)], Array.from({ length: Math.max(...second.steps) }, (_, i) => i + 1)) // prettier-ignore
  t.equal(second.steps.filter((step) => step === 1).length, 1)

  const third = recorder()
  t.equal(hashOf(await handler.start(attempt('b', 'killed', 3), third.sink).ended), expected)

  // The state was not stored: the next attempt gives the same result without any work.
  const fourth = recorder()
  t.equal(hashOf(await handler.start(attempt('b', 'killed', 4), fourth.sink).ended), expected)
  t.equal(new Set(fourth.steps).size, STEPS, 'the whole curve, from the file')
  t.equal(fourth.checkpoints, 0)
  await handler.forget(attempt('b', 'killed', 4))
  t.same(readdirSync(join(home, 'trainings')).filter((name) => name.includes('killed')), []) // prettier-ignore
})

/** Resolves when there is no process of this id any more. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(20)
  }
}

t.test(
  'a job ends with its killed worker, and the next attempt ends in the same weights',
  async (t) => {
    // prettier-ignore
    const { handler, settings } = await prepare(t)
    const expected = hashOf(await handler.start(attempt('a', 'whole'), recorder().sink).ended)
    const { NODE_OPTIONS: _, ...env } = process.env
    const parent = fork(new URL('job-parent.ts', import.meta.url), { env, execArgv: [] })
    let pid = 0
    const saved = new Promise<void>((resolve) => {
      parent.on('message', (message: { pid?: number; checkpoint?: number }) => {
        if (message.pid) pid = message.pid
        else resolve()
      })
    })
    parent.send({ attempt: attempt('b', 'orphan'), settings })
    await saved
    parent.kill('SIGKILL')
    // At once, without waiting for the orphan: its lock keeps two from writing side by side.
    const next = recorder()
    const end = await handler.start(attempt('b', 'orphan', 2), next.sink).ended
    t.equal(hashOf(end), expected)
    t.equal(next.steps.filter((step) => step === 1).length, 1, 'went on from a checkpoint')
    await gone(pid)
  },
)

t.test('checkpoints of another job of the same name are not gone on from', async (t) => {
  const { handler, pids } = await prepare(t)
  const first = recorder()
  const killed = handler.start(attempt('a', 'shared'), first.sink)
  await first.checkpoint(5)
  process.kill(pids.at(-1)!, 'SIGKILL')
  await killed.ended
  const second = recorder()
  await handler.start(attempt('b', 'shared', 2), second.sink).ended
  t.equal(second.steps[0], 1)
})

t.test('errors come with their code, half-written folders go', async (t) => {
  const { handler, home } = await prepare(t)
  mkdirSync(join(home, 'models', '.out.123-1.part'), { recursive: true })
  mkdirSync(join(home, 'models', '.other.123-1.part'), { recursive: true })
  const bad = { ...attempt('a', 'out'), spec: { ...spec('out'), data: 'nothing' } }
  const end = await handler.start(bad, recorder().sink).ended
  t.match(end, { type: 'failed', error: { code: 'DATASET_NOT_FOUND', message: /nothing/ } })
  t.notOk(existsSync(join(home, 'models', '.out.123-1.part')))
  t.ok(existsSync(join(home, 'models', '.other.123-1.part')), 'another name is not touched')
})

t.test('above its memory limit a job ends with a clear error', async (t) => {
  const { handler } = await prepare(t, 40 * 2 ** 20)
  const end = await handler.start(attempt('a', 'out'), recorder().sink).ended
  t.match(end, { type: 'failed', error: { code: 'JOB_MEMORY', message: /limit (is )?\D*40 MiB/ } })
})

t.test('an import stays in the import folder', async (t) => {
  const { handler, home, tokenizer } = await prepare(t)
  mkdirSync(join(home, 'imports'))
  writeFileSync(join(home, 'imports', 'file'), '')
  for (const path of ['../tokenizer', tokenizer, '.', 'missing']) {
    const task = { kind: 'import' as const, spec: { path, name: 'new' }, id: 'a', number: 1 }
    const end = await handler.start(task, recorder().sink).ended
    t.match(end, { type: 'failed', error: { code: 'BAD_FILE', message: /import folder/ } }, path)
  }
})

t.test(
  'while the server is busy, a training works a part of the time and still ends',
  async (t) => {
    const { handler } = await prepare(t)
    const { sink, steps } = recorder()
    const running = handler.start(attempt('a', 'polite'), sink)
    running.setBusy(true)
    const end = await running.ended
    t.equal(end.type, 'succeeded')
    t.equal(steps.length, STEPS)
  },
)
