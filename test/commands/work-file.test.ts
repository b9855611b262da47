/** `label` and `eval` with `--work-file`: killed and started again, they end as if nothing had happened. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { generateVillage } from '../../src/datasets/village/index.ts'
import { runCli, startCli } from '../fixtures/run-cli.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []

/** Starts a command, kills it when it has kept a number of pieces, and returns the lines of its file. */
async function killedAfter(pieces: number, home: string, argv: string[], file: string) {
  const { child, ended } = startCli(home, [...argv, '--work-file', file])
  while (linesOf(file).length <= pieces && child.exitCode === null) await sleep(2)
  child.kill('SIGKILL')
  const { signal } = await ended
  if (signal !== 'SIGKILL') throw new Error('the command was over before it was killed')
  return linesOf(file)
}

t.test('a labelling that was killed goes on from its rows', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const rated = [...generateVillage({ seed: 3, rated: 700 }).rated]
  await tiny.conversations('rows', rated)
  const label = (name: string) => ['label', '--data', 'rows', '--apm', 'village-apm', '--name', name, '--threads', '1'] // prettier-ignore
  const whole = await runCli(tiny.home, ...label('whole'))
  t.equal(whole.code, 0, whole.stderr)
  const file = join(tiny.home, 'work.ndjson')
  const kept = await killedAfter(2, tiny.home, label('again'), file)
  t.notOk(existsSync(join(tiny.home, 'datasets/again')), 'nothing half-written is in place')
  const rest = await runCli(tiny.home, ...label('again'), '--work-file', file)
  t.equal(rest.code, 0, rest.stderr)
  t.same(linesOf(file).slice(0, kept.length - 1), kept.slice(0, -1), 'the rows were kept')
  const rows = (name: string) => linesOf(join(tiny.home, 'datasets', name, 'records.ndjson'))
  t.equal(rows('again').length, rated.length)
  t.same(rows('again'), rows('whole'))
})

t.test('an evaluation that was killed goes on from its replies', async (t) => {
  const home = t.testdir()
  const steering = ['eval', 'steering', '--model', 'village', '--meters', 'village', '--limit', '3', '--levels', '0,4', '--prompt-only', '1', '--threads', '1', '--concurrency', '2', '--json'] // prettier-ignore
  const file = join(home, 'work.ndjson')
  const kept = await killedAfter(5, home, steering, file)
  const { code, stdout, stderr } = await runCli(home, ...steering, '--work-file', file)
  t.equal(code, 0, stderr)
  const replies = (3 + 1) * 5 * 2
  const lines = linesOf(file)
  t.equal(lines.length, replies + 1, 'every reply was written once')
  t.same(lines.slice(0, kept.length - 1), kept.slice(0, -1))
  t.equal((JSON.parse(stdout) as { replies: number }).replies, 3 * 5 * 2)
})

t.test('judging replies that were rated goes on, too', async (t) => {
  const tiny = createTinyHome(t.testdir())
  const rated = [...generateVillage({ seed: 3, rated: 700 }).rated]
  await tiny.conversations('rows', rated)
  const args = ['eval', 'apm', '--apm', 'village-apm', '--data', 'rows', '--threads', '1', '--json']
  const whole = await runCli(tiny.home, ...args)
  t.equal(whole.code, 0, whole.stderr)
  const file = join(tiny.home, 'work.ndjson')
  await killedAfter(1, tiny.home, args, file)
  const rest = await runCli(tiny.home, ...args, '--work-file', file)
  t.equal(rest.code, 0, rest.stderr)
  t.same(JSON.parse(rest.stdout), JSON.parse(whole.stdout))
})
