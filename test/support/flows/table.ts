import type { Flow } from './flow.ts'
import { immediate } from './immediate.ts'
import { atWindowStart, inWindow } from './in-window.ts'
import { onReset } from './on-reset.ts'
import { onStart } from './on-start.ts'
import { rotated, sample } from '../sample.ts'

/** Every way that an update takes when nothing goes wrong; `docs/flows.md` is made of it. */
export const flows: readonly Flow[] = [...immediate, ...onReset, ...atWindowStart, ...inWindow, ...onStart]

/** An update that takes one of them. */
export type FlowCase = (typeof flowCases)[number]

/** Every flow, as each update that takes it. */
export const flowCases = flows.flatMap(
  ({ applyTimes: times, devices, awaitReset, startUpdate = 'own-task', acts }) =>
    times.flatMap((applyTime) =>
      devices.flatMap((device) =>
        awaitReset.map((shown) => ({ applyTime, devices: device, awaitReset: shown, startUpdate, acts })),
      ),
    ),
)

/** Each update in one of these circumstances, and in each of them updates of every kind; in a proof, all in all. */
export function flowsIn<T extends string>(
  circumstances: readonly T[],
  updates: readonly FlowCase[] = flowCases,
) {
  const all = rotated(updates, circumstances).map(([one, circumstance]) => ({ ...one, circumstance }))
  return sample(all, ({ circumstance, applyTime, devices, awaitReset, startUpdate }) => [
    [applyTime, devices, awaitReset, startUpdate].join(' '),
    ...[applyTime, devices, awaitReset, startUpdate].map((kind) => `${circumstance} ${kind}`),
  ])
}
