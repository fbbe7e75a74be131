/** Stands for TradingView's package: the server gives the package's standalone file in its place. @module */
export * from "lightweight-charts";
