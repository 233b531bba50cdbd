import type { Component } from '../bmc/bmc.ts'
import { type ImageComponent, imageName } from '../image/image-format.ts'
import { type Message, message, worstSeverity } from '../redfish/messages/message.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'
import type { VerifiedPlan } from './plan.ts'

/** The end of a dry run: what the devices' part would be, told for each component, and nothing done. */
export function preview({ decisions }: VerifiedPlan, task: WorkHandle): Ending {
  const messages = decisions.flatMap((decision) =>
    decision.kind === 'update' ? forecast(decision.component, decision.image) : [],
  )
  task.report({ messages: [...messages, message('Redflash.NothingChanged')] })
  const fails = worstSeverity(messages) === 'Critical'
  return fails ? { state: 'Exception', status: 400 } : { state: 'Completed', status: 200 }
}

function forecast({ uri, now, behaviour }: Component, image: ImageComponent): readonly Message[] {
  const name = imageName(image)
  const { capacityBytes, reset } = behaviour
  if (image.sizeBytes > capacityBytes) {
    const sizes = [String(image.sizeBytes), String(capacityBytes)] as const
    return [message('Redflash.ImageTooLarge', name, uri, ...sizes), message('Redflash.WouldFail', name, uri)]
  }
  return [
    message('Redflash.WouldUpdate', uri, now.version, name),
    ...(reset === undefined
      ? []
      : [message('Redflash.WouldAwaitReset', name, uri, reset.type, reset.resource)]),
  ]
}
