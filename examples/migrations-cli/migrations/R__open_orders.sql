CREATE OR REPLACE VIEW open_orders AS SELECT id, item, amount FROM orders WHERE amount > 0;
