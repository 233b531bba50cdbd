import type { Bmc, Row } from '../../bmc/bmc.ts'
import { type JsonObject, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** What an action of the UpdateService takes (ActionInfo v1_5, Parameters). */
export function actionInfoRow(action: string, parameters: (bmc: Bmc) => readonly JsonObject[]): Row {
  const path = uris.actionInfo(uris.updateService, action)
  const view: Row['view'] = (bmc) => ({
    ...resource('ActionInfo', path, `Parameters of ${action}`),
    Parameters: parameters(bmc),
  })
  return { path, type: 'ActionInfo', view }
}

/** An action of the UpdateService as that shows it. */
export function actionTarget(action: string, annotations: JsonObject = {}): JsonObject {
  return {
    [`#UpdateService.${action}`]: {
      target: uris.action(uris.updateService, `UpdateService.${action}`),
      '@Redfish.ActionInfo': uris.actionInfo(uris.updateService, action),
      ...annotations,
    },
  }
}

/** An action of ours, as `Actions.Oem` shows it. */
export function ownActionTarget(action: string): JsonObject {
  const name = `RedflashUpdateService.${action}`
  return {
    [`#${name}`]: {
      target: uris.action(uris.updateService, `Oem/${name}`),
      '@Redfish.ActionInfo': uris.actionInfo(uris.updateService, `Oem${action}`),
    },
  }
}
