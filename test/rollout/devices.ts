import type { RolloutPlan } from '../../src/rollout/plan.ts'
import { type DeviceFacts, select, type SelectionInput } from '../../src/rollout/select.ts'
import { type RolloutRecord } from '../../src/rollout/state.ts'
import { newRollout } from '../../src/rollout/new-rollout.ts'

export const OLD = '1.0.0'
export const NEW = '2.0.0'
export const IMAGE = 'bios.bin'

/** So many devices that are alike, called `d-1` and so on; `facts` says what is different. */
export function devices(
  count: number,
  facts: (index: number) => Partial<DeviceFacts> = () => ({}),
): DeviceFacts[] {
  return Array.from({ length: count }, (_, index) => device(`d-${index + 1}`, facts(index)))
}

export function device(id: string, facts: Partial<DeviceFacts> = {}): DeviceFacts {
  const uri = `/redfish/v1/Systems/${id}`
  return { id, uri, name: id, components: [component(id)], ...facts }
}

export function component(
  id: string,
  facts: Partial<DeviceFacts['components'][number]> = {},
): DeviceFacts['components'][number] {
  const uri = `/redfish/v1/UpdateService/FirmwareInventory/${id}-BIOS`
  return { id: `${id}-BIOS`, uri, version: OLD, softwareId: 'bios', offered: NEW, ...facts }
}

/** A roll-out that nobody has begun. */
export function rolloutOf(
  plan: RolloutPlan,
  all: readonly DeviceFacts[],
  {
    createdAt = Date.UTC(2026, 0, 1),
    ...input
  }: Partial<SelectionInput> & { readonly createdAt?: number } = {},
): RolloutRecord {
  const selection = select({ plan, devices: all, image: IMAGE, ...input })
  return newRollout({ id: 'r', plan, createdAt, image: IMAGE, selection })
}
