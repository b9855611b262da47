/** `steerlm train … --resume` after kill -9 at random moments: the weights are the same, bit for bit. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { runCli, startCli } from '../fixtures/run-cli.ts'
import { createTinyHome, drawTokenRows } from '../fixtures/tiny-home.ts'

const STEPS = 120

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** The newest checkpoint's step, 0 where there is none. */
function newestStep(work: string): number {
  if (!existsSync(work)) return 0
  const steps = readdirSync(work).map((name) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? 0))
  return Math.max(0, ...steps)
}

t.test('killed twice, stopped once and resumed, a training ends with the same file', async (t) => {
  const tiny = createTinyHome(t.testdir())
  await tiny.tokenRows('rows', drawTokenRows(60))
  const args = (name: string, ...more: string[]) => [
    ...['train', 'pretrain', '--data', 'rows', '--name', name, '--config', tiny.config()],
    ...['--tokenizer', tiny.tokenizer, '--max-steps', `${STEPS}`, '--batch-size', '8'],
    ...['--lr', '0.01', '--warmup-steps', '5', '--validation', '0.1', '--checkpoint-every', '3'],
    ...more,
  ]
  const whole = await runCli(tiny.home, ...args('whole'))
  t.equal(whole.code, 0, whole.stderr)

  const work = join(tiny.home, 'trainings', 'killed')
  let reached = 0
  for (const round of [1, 2]) {
    const { child, ended } = startCli(tiny.home, args('killed', ...(round > 1 ? ['--resume'] : [])))
    while (newestStep(work) <= reached && child.exitCode === null) await sleep(3)
    await sleep(Math.random() * 300)
    child.kill('SIGKILL')
    const { signal } = await ended
    t.equal(signal, 'SIGKILL', `round ${round} was killed while it ran`)
    reached = newestStep(work)
    t.ok(reached > 0 && reached < STEPS, `round ${round} was killed after checkpoint ${reached}`)
  }
  const other = await runCli(tiny.home, ...args('killed', '--resume', '--seed', '9'))
  t.equal(other.code, 2)
  t.match(other.stderr, /^[^\n]*these settings differ from the checkpoint's: seed\n$/)

  const { child, ended } = startCli(tiny.home, args('killed', '--resume'))
  while (newestStep(work) <= reached && child.exitCode === null) await sleep(3)
  child.kill('SIGTERM')
  const stopped = await ended
  t.equal(stopped.code, 2)
  const step = Number(
    /^[^\n]*stopped after step (\d+); --resume continues\n$/.exec(stopped.stderr)?.[1],
  )
  t.ok(newestStep(work) === step, 'SIGTERM saves the step it stops at')

  const rest = await runCli(tiny.home, ...args('killed', '--resume', '--json'))
  t.equal(rest.code, 0, rest.stderr)
  const file = (name: string) => join(tiny.home, 'models', name, 'model.safetensors')
  t.equal(sha256(file('killed')), sha256(file('whole')))
  t.notOk(existsSync(work), 'the checkpoints are gone once the model is written')

  const stage = (name: string) => {
    const path = join(tiny.home, 'models', name, 'steerlm.json')
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { stages: { result: unknown }[] }
    return manifest.stages[0]!.result
  }
  t.same(stage('killed'), stage('whole'), 'losses and evaluations are the same too')
  t.match(JSON.parse(rest.stdout), { name: 'killed', steps: STEPS })
})
