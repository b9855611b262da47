/** The jobs of a pipeline in a row, with their states, above the page of each. */
import { hashOf } from '../router.js'
import { getJson } from '../shared/api.js'
import { h } from '../shared/dom.js'
import { shortTitle, stepTitle } from './job-parts.js'
import { inOrder } from './job-order.js'

export function createPipelineStrip(job) {
  const element = h('nav', { className: 'pipeline', ariaLabel: 'The pipeline', hidden: true })
  let shown
  return {
    element,
    async refresh() {
      const { data } = await getJson('/v1/jobs?limit=200')
      const jobs = inOrder(data.filter((one) => one.pipeline_id === job.pipeline_id))
      const states = JSON.stringify(jobs.map(({ id, status }) => [id, status]))
      if (states === shown) return
      shown = states
      element.hidden = false
      element.replaceChildren(...jobs.map((one) => step(one, one.id === job.id)))
    },
  }
}

function step(job, isCurrent) {
  return h(
    'a',
    {
      className: `step ${job.status}`,
      href: hashOf(['jobs', job.id]),
      title: stepTitle(job),
      ...(isCurrent && { 'aria-current': 'page' }),
    },
    h('b', {}, shortTitle(job)),
    h('small', {}, job.status),
  )
}
