/** Dark or light, as the host of the card has it. */

export interface Theme {
  readonly dark: boolean;
  subscribe(listener: () => void, until: AbortSignal): void;
}
