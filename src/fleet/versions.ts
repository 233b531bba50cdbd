import { hash } from 'node:crypto'
import type { Machine } from '../bmc/machine.ts'
import type { ComponentState } from '../bmc/state.ts'

/** A version that some of a group's BMCs have, and how many of them in proportion to the others: 1 unless given. */
interface WeightedVersion {
  readonly version: string
  readonly weight?: number
}

/** By the Id of a component: the version that all have, or those that they are drawn from. */
export type Versions = Readonly<Record<string, string | readonly WeightedVersion[]>>

/** Where the weight of all ends: a draw is a number below it. */
const DRAW_BYTES = 6
const DRAWS = 2 ** (8 * DRAW_BYTES)

/**
 * What components of a group's BMCs run when they leave the factory, drawn by seed and Id. A state is made once for all
 * who have it.
 */
export function drawsOf(
  machine: Machine,
  versions: Versions,
): (seed: string, id: string) => [component: string, state: ComponentState][] {
  const drawn = Object.entries(versions).map(([component, choice]) => {
    const factory = machine.components.get(component)?.factory
    const choices = typeof choice === 'string' ? [{ version: choice }] : choice
    return {
      component,
      total: choices.reduce((sum, { weight = 1 }) => sum + weight, 0),
      states: choices.map(({ version, weight = 1 }) => ({ weight, state: stateOf(factory, version) })),
    }
  })
  return (seed, id) =>
    drawn.flatMap(({ component, total, states }) => {
      let left = states.length === 1 ? 0 : share(`${seed}\0${id}\0version of ${component}`) * total
      const found = states.find(({ weight }) => (left -= weight) < 0) ?? states.at(-1)
      return found?.state ? [[component, found.state] as [string, ComponentState]] : []
    })
}

/** `undefined`: what the machine says. */
function stateOf(factory: ComponentState | undefined, version: string): ComponentState | undefined {
  if (factory === undefined || factory.version === version) return undefined
  return { ...factory, version, releaseDate: undefined, sizeBytes: undefined }
}

/** From 0 to 1, and always the same. */
function share(text: string): number {
  return hash('sha256', text, 'buffer').readUIntBE(0, DRAW_BYTES) / DRAWS
}
