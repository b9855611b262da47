import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sha256, sha256File, sha256Json } from '../../src/util/hash.ts'

// FIPS 180-2, appendix B.1.
const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

t.test('texts, bytes and files hash alike', async (t) => {
  const path = join(t.testdir(), 'abc')
  await writeFile(path, 'abc')
  t.equal(sha256('abc'), abc)
  t.equal(sha256(new Uint8Array([97, 98, 99])), abc)
  t.equal(await sha256File(path), abc)
  await t.rejects(sha256File(`${path}.none`), { code: 'ENOENT' })
})

t.test(
  'the order of keys does not change the hash of a JSON value, its content does',
  async (t) => {
    t.equal(sha256Json({ a: 1, b: { c: 2, d: [3] } }), sha256Json({ b: { d: [3], c: 2 }, a: 1 }))
    t.not(sha256Json({ a: [1, 2] }), sha256Json({ a: [2, 1] }))
  },
)
