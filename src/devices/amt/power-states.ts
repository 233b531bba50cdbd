/** CIM_PowerManagementService.RequestPowerStateChange, PowerState: what Intel AMT can be asked for. */
export const requests = {
  on: 2,
  sleep: 4,
  cycle: 5,
  hibernate: 7,
  off: 8,
  reset: 10,
  interrupt: 11,
  softOff: 12,
  softReset: 14,
} as const

export type PowerRequest = (typeof requests)[keyof typeof requests]

/** CIM_AssociatedPowerManagementService.PowerState of a system that runs. */
export const RUNS = requests.on

/** Redfish's ResetTypes (Resource.ResetType), and what Intel AMT calls them. */
export const resetTypes: ReadonlyMap<string, PowerRequest> = new Map([
  ['On', requests.on],
  ['ForceOff', requests.off],
  ['ForceRestart', requests.reset],
  ['PowerCycle', requests.cycle],
  ['GracefulShutdown', requests.softOff],
  ['GracefulRestart', requests.softReset],
])
