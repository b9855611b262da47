import { join } from 'node:path'
import t from 'tap'
import { openDurablePglite } from '../../src/database/durable-pglite.ts'
import { pgliteMajor } from '../../src/database/pglite.ts'
import { pgliteHome } from '../fixtures/databases.ts'

t.test('every commit and checkpoint reaches the disk', async (t) => {
  const { lite, syncs } = await openDurablePglite(join(await pgliteHome(t), 'database/data'))
  t.teardown(() => lite.close())
  await lite.exec('create table numbers (n int)')
  const before = syncs()
  for (let n = 0; n < 10; n++) await lite.query('insert into numbers values ($1)', [n])
  const commits = syncs() - before
  t.ok(commits >= 10, `${commits} fsyncs for 10 commits`)
  await lite.exec('checkpoint')
  t.ok(syncs() - before - commits >= 2, 'data files and the control file')

  const { rows } = await lite.query<Record<string, string>>(`select
    current_setting('fsync') as fsync, current_setting('full_page_writes') as pages,
    current_setting('shared_buffers') as buffers, current_setting('synchronous_commit') as sync,
    current_setting('server_version_num')::int / 10000 || '' as major`)
  t.same(rows, [{ fsync: 'on', pages: 'on', buffers: '16MB', sync: 'on', major: pgliteMajor }])
})
