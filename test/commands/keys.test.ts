import t from 'tap'
import { openDatabase } from '../../src/database/index.ts'
import { run } from '../../src/commands/keys.ts'
import { createKeys } from '../../src/services/keys.ts'
import { pgliteHome } from '../fixtures/databases.ts'

t.test('keys are made, listed and revoked in the data folder', async (t) => {
  const home = await pgliteHome(t)
  const lines: string[] = []
  const { log } = console
  t.teardown(() => (console.log = log))
  console.log = (line: string) => void lines.push(line)
  const keys = async (...argv: string[]) => {
    lines.length = 0
    t.equal(await run([...argv, '--home', home]), 0)
    return lines.join('\n')
  }
  const flags = ['--name', 'game', '--scope', 'generate', '--scope', 'npcs', '--days', '30']
  const made = await keys('create', ...flags, '--tokens-per-minute', '100')
  const [, key, id] = /^(sk-steer-\S+)\n.* id is (\S+)\.$/.exec(made)!
  const listed = await keys('list')
  t.match(listed, new RegExp(`^${id}  ${key!.slice(0, 15)}…  game  generate,npcs  expires 20`))
  t.notOk(listed.includes(key!))

  const database = await openDatabase({ home })
  const caller = { id, tokensPerMinute: 100, requestsPerMinute: null }
  t.match(await createKeys({ db: database.db }).verify(key!), caller)
  await t.rejects(run(['list', '--home', home]), { code: 'DATABASE_LOCKED', detail: /HTTP API/ })
  await database.close()

  t.match(await keys('revoke', id!), /^revoked .* game .* revoked 20/)
  t.match(JSON.parse(await keys('list', '--json')), [{ id, name: 'game' }])
})

t.test('what is wrong is said before the database is opened', async (t) => {
  const home = t.testdir()
  for (const argv of [['lock'], ['list', 'x'], []]) {
    await t.rejects(run([...argv, '--home', home]), {
      code: 'BAD_ARGUMENT',
      message: /create, list/,
    })
  }
  await t.rejects(run(['create', '--scope', 'root', '--home', home]), { code: 'BAD_ARGUMENT' })
})
