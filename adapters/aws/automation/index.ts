export {
  AutomationError,
  type AutomationErrorCode,
  type AutomationStarter,
  createAutomationStarter,
} from './automation-starter.ts';
