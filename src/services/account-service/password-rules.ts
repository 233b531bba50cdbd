import type { Settings } from '../../bmc/state.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'

/** A longer one would only make hashing it slow. */
export const MAX_PASSWORD_LENGTH = 128

/** Refuses a new password that is too short or too long. Throws a RedfishError. */
export function checkNewPassword(password: string, { minPasswordLength }: Settings, pointer: string): void {
  const { length } = Array.from(password)
  if (length >= minPasswordLength && length <= MAX_PASSWORD_LENGTH) return
  throw new RedfishError(400, about(message('Base.PasswordIncorrectLength'), pointer))
}
