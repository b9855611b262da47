import t from 'tap'
import { AttributeSet } from '../../schemas/attributes.ts'
import { attributeSet, attributeSets } from '../../src/labels/attribute-sets.ts'

const names = (set: string): string[] => attributeSet(set).map((spec) => spec.name)

t.test('the sets have the order of their label lines', async (t) => {
  t.same(names('village'), ['helpfulness', 'humor', 'creativity', 'verbosity', 'toxicity'])
  t.same(names('oasst'), ['quality', 'toxicity', 'humor', 'creativity'])
  t.same(names('helpsteer'), ['helpfulness', 'correctness', 'coherence', 'complexity', 'verbosity'])
  t.same(names('steerlm'), [...names('oasst'), ...names('helpsteer')])
})

t.test(
  'every set is valid, has five different levels per attribute and a description',
  async (t) => {
    for (const set of Object.values(attributeSets)) {
      t.ok(AttributeSet.safeParse(set).success)
      for (const spec of set) {
        t.equal(new Set(spec.levels).size, 5, spec.name)
        t.ok(spec.description.length > 10, spec.name)
      }
    }
  },
)

t.test('a set is a copy, and an unknown one lists the known', async (t) => {
  attributeSet('village')[0]!.name = 'changed'
  t.equal(attributeSet('village')[0]!.name, 'helpfulness')
  t.throws(() => attributeSet('town'), { code: 'BAD_ARGUMENT', detail: /village, helpsteer/ })
})

t.test('the schema refuses sets that cannot work', async (t) => {
  const spec = attributeSet('village')[0]!
  const invalid = [
    [spec, spec],
    [{ ...spec, name: 'Bad Name' }],
    [{ ...spec, levels: ['one'] }],
    [{ ...spec, default: 9 }],
    [{ ...spec, min: 4, max: 4, levels: ['x'], default: 4 }],
  ]
  for (const set of invalid) t.notOk(AttributeSet.safeParse(set).success)
})
