CREATE TABLE orders (
  id int PRIMARY KEY,
  item varchar(40) NOT NULL,
  amount int NOT NULL
);
