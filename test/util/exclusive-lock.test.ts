import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { tryLock, waitForLock } from '../../src/util/exclusive-lock.ts'

const moduleUrl = new URL('../../src/util/exclusive-lock.ts', import.meta.url).href

t.test('one holder at a time', async (t) => {
  const path = join(t.testdir(), 'new', 'a.lock')
  const lock = await tryLock(path)
  t.ok(lock)
  t.equal(await tryLock(path), null)
  t.equal(await waitForLock(path, 150), null)
  lock!.release()
  const next = await tryLock(path)
  t.ok(next, 'free again')
  next!.release()
})

t.test('a killed holder leaves no stale lock', async (t) => {
  const dir = t.testdir()
  const path = join(dir, 'a.lock')
  const script = join(dir, 'holder.mjs')
  writeFileSync(script, `const { tryLock } = await import(${JSON.stringify(moduleUrl)})\nglobalThis.lock = await tryLock(process.argv[2])\nprocess.send('held')\nsetInterval(() => {}, 1000)\n`) // prettier-ignore
  const { NODE_OPTIONS: _, ...env } = process.env
  const holder = fork(script, [path], { env, execArgv: [] })
  await once(holder, 'message')
  t.equal(await tryLock(path), null)
  const waiting = waitForLock(path, 10_000)
  holder.kill('SIGKILL')
  const lock = await waiting
  t.ok(lock)
  lock!.release()
})
