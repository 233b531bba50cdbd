import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import type { PendingImage } from '../bmc/state.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import { isBelow, isInsecure } from './floors.ts'
import type { StageFailure } from './stages/stage.ts'
import type { Standby } from './updates.ts'

/** Every image that stands by beside the one that runs. */
export function listStandby(bmc: Bmc): Standby[] {
  return listComponents(bmc).flatMap((component) =>
    (component.now.standby ?? []).map((image) => ({ component, image })),
  )
}

/** The image whose inventory item this is. */
export function findStandby(bmc: Bmc, uri: string): Standby | undefined {
  return listStandby(bmc).find(({ image }) => uris.firmware(image.id) === uri)
}

/** The devices on which an image of this component stands by (SoftwareInventory.Links.StagedTargets). */
export function stagedTargets({ relatedItems }: Component): readonly string[] {
  return relatedItems
}

/** Why an image that is on its device may not be made the one that runs there; `undefined`: it may. */
export function hindrance(
  component: Component,
  standby: Pick<PendingImage, 'image' | 'version' | 'securityVersion'>,
): StageFailure | undefined {
  // Where half an image is, nothing but a new one is taken.
  if (component.now.health === 'Critical')
    return { messages: [message('Update.UpdateNotApplicable', standby.image, component.uri)], status: 409 }
  if (component.now.isWriteProtected === true)
    return {
      messages: [message('Base.PropertyValueResourceConflict', 'WriteProtected', 'true', component.uri)],
      status: 409,
    }
  if (isBelow(component, standby) || isInsecure(component, standby))
    return {
      messages: [message('Update.UpdateSkippedVersionTooLow', component.uri, standby.image)],
      status: 400,
    }
  return undefined
}
