import { hash } from 'node:crypto'
import { compareVersions } from '../update/version.ts'
import type { RolloutPlan } from './plan.ts'
import { numberOf, type Rules } from './rules.ts'
import type { Chosen } from './select.ts'

/** What is drawn comes of it where a plan has no seed. */
const DEFAULT_SEED = 'redflash'

/** The chosen devices in the order in which a plan wants them. */
export function inOrder(chosen: readonly Chosen[], { Order: order }: RolloutPlan): readonly Chosen[] {
  switch (order?.By) {
    case 'Name':
      // Number by number, as versions: web-9 before web-10.
      return chosen.toSorted((a, b) => compareVersions(a.device.name, b.device.name))
    case 'Version':
      return chosen.toSorted((a, b) => compareVersions(oldest(a), oldest(b)))
    case 'Random':
      return shuffled(chosen, order.Seed ?? DEFAULT_SEED)
    case 'Given':
    case undefined:
      return chosen
  }
}

/** The oldest version that is to be replaced on a device. */
function oldest({ components }: Chosen): string {
  return components.map(({ from }) => from).toSorted((a, b) => compareVersions(a, b))[0] ?? ''
}

/** Of a seed the same order comes each time, and of those who stay nobody changes places when others come or go. */
function shuffled(chosen: readonly Chosen[], seed: string): readonly Chosen[] {
  return chosen
    .map((one) => ({ one, place: hash('sha256', `${seed}\0${one.device.id}`) }))
    .toSorted((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ one }) => one)
}

/** How many devices each wave has: as the plan says one after the other, the last of its waves again until none is left. */
export function waveSizes(total: number, rules: Rules): number[] {
  const sizes: number[] = []
  for (let left = total; left > 0;) {
    const size = Math.min(left, Math.max(1, numberOf(rules.wave(sizes.length).amount, total)))
    sizes.push(size)
    left -= size
  }
  return sizes
}
