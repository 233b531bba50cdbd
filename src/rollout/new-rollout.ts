import { rulesOf } from './rules.ts'
import type { Chosen, DeviceFacts, Selection, Skip } from './select.ts'
import type { RolloutBase, RolloutRecord, TargetRecord, WaveRecord } from './state.ts'
import { inOrder, waveSizes } from './waves.ts'

export interface NewRollout extends RolloutBase {
  readonly selection: Selection
}

/** A roll-out that has not begun: who is in which wave, and who is skipped. */
export function newRollout({ selection, ...base }: NewRollout): RolloutRecord {
  const rules = rulesOf(base.plan, base.createdAt)
  const ordered = inOrder(selection.chosen, base.plan)
  const sizes = waveSizes(ordered.length, rules)
  const waveOf = sizes.flatMap((size, index) => Array<number>(size).fill(index))
  return {
    ...base,
    head: { state: 'New', forgiven: 0, history: [] },
    waves: sizes.map((_, index) => newWave(index, rules.wave(index).name)),
    targets: [
      ...ordered.map((one, order) => newTarget(one, { order, wave: waveOf[order] ?? 0 })),
      ...selection.skipped.map(skippedTarget),
    ],
  }
}

export function newWave(index: number, name: string): WaveRecord {
  return { index, name, state: 'Pending', forgiven: 0, history: [] }
}

export function newTarget(
  { device, components }: Chosen,
  place: { readonly order: number; readonly wave: number },
): TargetRecord {
  return { ...factsOf(device), ...place, components, state: 'Pending', tries: 0, operations: 0, history: [] }
}

export function skippedTarget({ device, message: skip }: Skip): TargetRecord {
  const facts = factsOf(device)
  return { ...facts, components: [], state: 'Skipped', tries: 0, operations: 0, skip, history: [] }
}

function factsOf({
  id,
  uri,
  name,
  group,
  source,
}: DeviceFacts): Pick<TargetRecord, 'id' | 'uri' | 'name' | 'group' | 'source'> {
  return { id, uri, name, ...(group !== undefined && { group }), ...(source !== undefined && { source }) }
}
