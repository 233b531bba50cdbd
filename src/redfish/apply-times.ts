/** The values of `@Redfish.OperationApplyTime` (Settings v1_4). */
export const applyTimes = [
  'Immediate',
  'OnReset',
  'AtMaintenanceWindowStart',
  'InMaintenanceWindowOnReset',
  'OnStartUpdateRequest',
  'OnTargetReset',
] as const
export type ApplyTime = (typeof applyTimes)[number]

/** Those that speak of the maintenance window. */
export const windowed: ReadonlySet<ApplyTime> = new Set([
  'AtMaintenanceWindowStart',
  'InMaintenanceWindowOnReset',
])
