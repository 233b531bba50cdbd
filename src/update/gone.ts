import { type Bmc, findComponent } from '../bmc/bmc.ts'
import { deviceOfFirmware } from '../bmc/device-documents.ts'
import { lastNumber } from '../bmc/numbers.ts'
import { message } from '../redfish/messages/message.ts'
import { uris } from '../redfish/uris.ts'
import type { Piece } from './crew.ts'
import { reachedBy } from './record.ts'
import { conclude, type Workshop } from './workshop.ts'

/** Whether a component was of a device that this console manages no more. */
export function isGone(bmc: Bmc, component: string): boolean {
  const isOfDevice = Number(deviceOfFirmware(component)) <= lastNumber(bmc, 'devices')
  return isOfDevice && findComponent(bmc, component) === undefined
}

/** Its part of an operation, which has its place among the others still: it fails, if it had not ended. */
export function gonePiece(bmc: Bmc, id: string, shop: Workshop): Piece {
  const component = { id, uri: uris.firmware(id) }
  return {
    component,
    needsUser: false,
    run: async ({ work }) => {
      const part = { bmc, component, work, shop }
      const left = reachedBy(part)
      if (left?.at === 'over') return { state: left.state, status: left.status }
      const why = message('Redflash.DeviceDetached', component.uri)
      return conclude(part, { state: 'Exception', status: 500 }, [why], {})
    },
  }
}
