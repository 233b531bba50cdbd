import type { Clock } from '../../lib/clock.ts'
import { timestamp } from '../../lib/clock.ts'
import { type Message, message, worstSeverity } from '../../redfish/messages/message.ts'
import { type PreviewedWave, previewOf } from '../../rollout/preview.ts'
import type { Ending, WorkHandle } from '../../tasks/work.ts'
import type { VerifiedPlan } from '../../update/plan.ts'
import { type Chosen, choose, planOf } from './selection.ts'

/** The end of a roll-out's dry run: its waves, their devices and those that would be skipped, and nothing done. */
export function foretell({ bmc, image, request }: VerifiedPlan, task: WorkHandle, clock: Clock): Ending {
  const plan = planOf(request)
  const { selection, decisions } = choose(bmc, { image, plan, force: request.force })
  const now = clock.now()
  const preview = previewOf({ plan, createdAt: now }, selection, () => [])
  const messages = [
    ...selection.skipped.map((one) => one.message),
    ...preview.waves.flatMap((wave) => ofWave(wave, { decisions, now, image: image.fileName })),
    ...(selection.chosen.length + selection.skipped.length === 0
      ? [message('Update.NoTargetsDetermined', image.fileName)]
      : []),
  ]
  task.report({ messages: [...messages, message('Redflash.NothingChanged')] })
  const fails = worstSeverity(messages) === 'Critical'
  return fails ? { state: 'Exception', status: 400 } : { state: 'Completed', status: 200 }
}

interface About extends Pick<Chosen, 'decisions'> {
  readonly now: number
  readonly image: string
}

function ofWave({ name, devices }: PreviewedWave, { now, image }: About): Message[] {
  return [
    message('Redflash.WouldBeginWave', name, String(devices.length)),
    ...devices.flatMap(({ device, components, earliest = Infinity }) => [
      ...(earliest === now
        ? []
        : [
            message(
              'Redflash.WouldWait',
              device.uri,
              image,
              earliest === Infinity ? 'its windows never open' : timestamp(earliest),
            ),
          ]),
      ...components.map(({ uri, from }) => message('Redflash.WouldUpdate', uri, from, image)),
    ]),
  ]
}
