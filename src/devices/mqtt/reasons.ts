import { type Message, message } from '../../redfish/messages/message.ts'
import { type FailedStatus, updateStatuses } from './firmware.ts'

/** What a device was asked for. */
export interface Errand {
  readonly key: string
  /** How messages name the image. */
  readonly image: string
  /** Where the image lies. */
  readonly uri: string
}

/** What a status of a device's says, in Redfish's words; that an image is corrupt is told by whoever tells of its stage. */
export function reasonOf(
  status: Exclude<FailedStatus, typeof updateStatuses.verificationFailed>,
  { key, image, uri }: Errand,
): Message {
  // Whoever knows where an image lies could fetch it: only who serves it is told.
  const origin = URL.parse(uri)?.origin ?? uri
  switch (status) {
    case updateStatuses.outOfMemory:
      return message('Base.InsufficientStorage')
    case updateStatuses.connectionLost:
      return message('Base.CouldNotEstablishConnection', origin)
    case updateStatuses.unsupportedImage:
      return message('Update.UpdateNotApplicable', image, key)
    case updateStatuses.invalidUri:
      return message('Base.ResourceMissingAtURI', origin)
  }
}
