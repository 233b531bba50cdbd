import type { Bmc, Component } from '../bmc/bmc.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import { type Message, message, worstSeverity } from '../redfish/messages/message.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import type { VerifiedPlan } from './plan.ts'
import type { UpdateRequest } from './policy.ts'
import { requestedReset, resetFor } from './reset-need.ts'

/** The end of a dry run: what the devices' part would be, told for each component, and nothing done. */
export function preview({ bmc, decisions, request }: VerifiedPlan, task: WorkHandle): Ending {
  const messages = decisions.flatMap((decision) =>
    decision.kind === 'update' ? forecast(bmc, decision.component, decision.image, request) : [],
  )
  task.report({ messages: [...messages, message('Redflash.NothingChanged')] })
  const fails = worstSeverity(messages) === 'Critical'
  return fails ? { state: 'Exception', status: 400 } : { state: 'Completed', status: 200 }
}

function forecast(
  bmc: Bmc,
  component: Component,
  image: ImageComponent,
  { stage }: UpdateRequest,
): readonly Message[] {
  const name = imageName(image)
  const { uri, now, behaviour } = component
  const { capacityBytes } = behaviour
  if (image.sizeBytes > capacityBytes) {
    const sizes = [String(image.sizeBytes), String(capacityBytes)] as const
    return [message('Redflash.ImageTooLarge', name, uri, ...sizes), message('Redflash.WouldFail', name, uri)]
  }
  if (stage) return [message('Redflash.WouldStage', uri, name)]
  const reset = resetFor(component, { reset: requestedReset(bmc, component, image.activation) })
  return [
    message('Redflash.WouldUpdate', uri, now.version, name),
    ...(reset === undefined
      ? []
      : [message('Redflash.WouldAwaitReset', name, uri, reset.type, reset.resource)]),
  ]
}
