import type { Flow } from './flow.ts'
import { immediate } from './immediate.ts'
import { atWindowStart, inWindow } from './in-window.ts'
import { onReset } from './on-reset.ts'
import { onStart } from './on-start.ts'

/** Every way that an update takes when nothing goes wrong; `docs/flows.md` is made of it. */
export const flows: readonly Flow[] = [...immediate, ...onReset, ...atWindowStart, ...inWindow, ...onStart]

/** Every flow, as each update that takes it. */
export const flowCases = flows.flatMap(
  ({ applyTimes: times, devices, awaitReset, startUpdate = 'own-task', acts }) =>
    times.flatMap((applyTime) =>
      devices.flatMap((device) =>
        awaitReset.map((shown) => ({ applyTime, devices: device, awaitReset: shown, startUpdate, acts })),
      ),
    ),
)
