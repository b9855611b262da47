import t from 'tap'
import { checkAlias, checkModelName, parseModelReference } from '../../src/registry/model-name.ts'

t.test('a reference is a name, a name with an alias, or a name with a version', async (t) => {
  t.same(parseModelReference('a.b-1'), { model: 'a.b-1', alias: null, version: null })
  t.same(parseModelReference('village@prod'), { model: 'village', alias: 'prod', version: null })
  t.same(parseModelReference('village@12'), { model: 'village', alias: null, version: 12 })
})

t.test('nothing that could leave a folder is a reference, a name or an alias', async (t) => {
  const long = 'x'.repeat(101)
  for (const text of ['', '..', '.x', 'a/b', 'a\\b', '../a', '/a', long, 'a b', 'ä']) {
    t.equal(parseModelReference(text), null, text)
    t.throws(() => checkModelName(text), { code: 'BAD_ARGUMENT', param: 'name' }, text)
    t.throws(() => checkAlias(text), { code: 'BAD_ARGUMENT', param: 'alias' }, text)
  }
  for (const text of ['a@', 'a@b@c', 'a@0', 'a@01', 'a@-1', 'a@../b', '@prod', 'a@9999999999']) {
    t.equal(parseModelReference(text), null, text)
  }
  t.throws(() => checkAlias('3'), { code: 'BAD_ARGUMENT' }, 'a number is a version')
})
