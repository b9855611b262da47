/** Small helpers over the DOM. Text always goes in as text, never as HTML. */

/** An element: `h('button', { class: 'quiet', onclick }, 'Reset')`. Properties of DOM elements, or attributes. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue
    if (name.startsWith('--')) element.style.setProperty(name, value)
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (name in element && name !== 'list') element[name] = value
    else element.setAttribute(name === 'className' ? 'class' : name, value)
  }
  element.append(...children.filter((child) => child !== null && child !== undefined))
  return element
}

const svgNamespace = 'http://www.w3.org/2000/svg'

export function icon(name) {
  const svg = document.createElementNS(svgNamespace, 'svg')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS(svgNamespace, 'use')
  use.setAttribute('href', `/icons.svg#${name}`)
  svg.append(use)
  return svg
}

export function face(iconName, hue) {
  return h('span', { className: 'face', '--hue': String(hue) }, icon(iconName))
}

export const byId = (id) => document.getElementById(id)

const knownHues = { helpfulness: 145, humor: 38, creativity: 275, verbosity: 210, toxicity: 4 }

/** The colour of an attribute, the same wherever it shows. */
export function hueOf(name, index) {
  return knownHues[name] ?? (index * 67 + 20) % 360
}
