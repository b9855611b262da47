import t from 'tap'
import { CreatePipelineRequest, type Job } from '../../schemas/jobs.ts'
import { importUi } from './import-ui.ts'

const { pipelineOf } = await importUi('jobs/pipeline.js')
const { inOrder } = await importUi('jobs/job-order.js')
const values = { rated: 'rated', texts: 'texts', base: 'village@prod', name: 'tavern' }

t.test('the form of the whole loop makes a pipeline that the API takes', async (t) => {
  const { name, pipeline } = CreatePipelineRequest.parse(pipelineOf(values))
  t.equal(name, 'Loop for tavern')
  t.same(pipeline.map(({ ref, kind }) => `${ref}: ${kind}`), ['apm: train', 'label: label', 'sft: train', 'evaluate: evaluate', 'publish: publish']) // prettier-ignore
  t.match(pipeline, [
    { spec: { stage: 'apm', data: 'rated', base: 'village@prod', name: 'tavern-apm' } },
    { spec: { data: 'texts', apm: 'tavern-apm', name: 'tavern-labelled' }, after: ['apm'] },
    { spec: { stage: 'sft', data: 'tavern-labelled', name: 'tavern' }, after: ['label'] },
    { spec: { type: 'steering', model: 'tavern', apm: 'tavern-apm' }, after: ['sft'] },
    { spec: { model: 'tavern', from: 'tavern', aliases: ['prod'] }, after: ['evaluate'] },
  ])
})

t.test(
  'settings go to both trainings, steps to their own, and only where they are given',
  async (t) => {
    const more = { apm_steps: 5, sft_steps: 7, batch_size: 4, lr: 0.001, seed: 3, prompts: 2, publish_apm: true } // prettier-ignore
    const { pipeline } = CreatePipelineRequest.parse(pipelineOf({ ...values, ...more }))
    const common = { batch_size: 4, lr: 0.001, seed: 3 }
    t.match(pipeline[0]!.spec, { ...common, max_steps: 5 })
    t.match(pipeline[2]!.spec, { ...common, max_steps: 7 })
    t.match(pipeline[3]!.spec, { limit: 2 })
    t.match(pipeline[5], { kind: 'publish', spec: { model: 'tavern-apm', from: 'tavern-apm' } })
    t.notOk('lr' in pipelineOf(values).pipeline[0].spec)
  },
)

t.test(
  'jobs of a pipeline stand after those they wait for, in whatever order they come',
  async (t) => {
    const job = (id: string, after: string[]): Pick<Job, 'id' | 'after'> => ({ id, after })
    const jobs = [job('c', ['b']), job('x', ['c', 'a']), job('b', ['a']), job('a', ['elsewhere'])]
    const ids = (list: { id: string }[]): string => list.map(({ id }) => id).join('')
    t.equal(ids(inOrder(jobs)), 'abcx')
    t.equal(ids(inOrder(jobs.toReversed())), 'abcx')
    t.same(inOrder([]), [])
  },
)
