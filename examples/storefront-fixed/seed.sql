-- Demo accounts; their passwords are in README.md.
INSERT INTO users (id, email, name, role, password_hash) VALUES
  (1, 'maren@saltmarsh.example', 'Maren Holt', 'admin',
   'scrypt:32768:8:1$e8MQSvSNUV8Vs4rB$be6a69f8efe404b00e6e76d1e9d86586be7fe4649c0bfe66556106accc9b803f57430289038a8585ad0344f60a4d1aae3639a7c7145ab58a4e4d517720ca447e'),
  (2, 'tom@customer.example', 'Tom Ibsen', 'customer',
   'scrypt:32768:8:1$d2AX10wwFrKFCTAW$6a97c7342c781bc2f8092489300ae8629327e6fd390731223244492644f6a7739dca0c2464faa6cc2237844ef95cf34b4aab7684ae371f2aefa60d19b7686abe'),
  (3, 'ruth@customer.example', 'Ruth Okafor', 'customer',
   'scrypt:32768:8:1$aVwXG9mc4VudMDtd$622e71085c014df650825fd898ed667618e1c4cc07ffaaf5d84ec564f1dffefea911c41790cad89c0aa48722ce103d03ba2208b5456c71f56f5f440fa1e09ce1');

INSERT INTO products
  (id, slug, name, summary, category, price_cents, stock, image, supplier_code, active, added_on)
VALUES
  (1, 'enamel-mug', 'Enamel mug', 'Half a pint, chips gracefully.', 'kitchen', 950, 120, 'mug.svg', 'NOR-114', 1, '2025-11-03'),
  (2, 'copper-kettle', 'Copper kettle', 'Two litres, for stove and fire.', 'kitchen', 8400, 9, 'kettle.svg', 'NOR-120', 1, '2025-11-03'),
  (3, 'linen-apron', 'Linen apron', 'Stone-washed, two pockets.', 'kitchen', 4200, 34, 'apron.svg', 'LIN-007', 1, '2025-11-18'),
  (4, 'bread-knife', 'Bread knife', 'Beech handle, long teeth.', 'kitchen', 3650, 18, 'knife.svg', 'SOL-031', 1, '2025-12-01'),
  (5, 'storm-lantern', 'Storm lantern', 'Burns for twenty hours, stays lit in a gale.', 'outdoors', 3900, 27, 'lantern.svg', 'FEU-276', 1, '2025-12-01'),
  (6, 'hemp-rope', 'Hemp rope', 'Twelve millimetres, sold by ten metres.', 'outdoors', 2200, 60, 'rope.svg', 'TAU-012', 1, '2026-01-09'),
  (7, 'wool-blanket', 'Wool blanket', 'Undyed, woven on the island.', 'home', 9800, 12, 'blanket.svg', 'WOL-002', 1, '2026-01-09'),
  (8, 'oilskin-bag', 'Oilskin bag', 'Thirty litres, keeps the rain out.', 'outdoors', 7600, 15, 'bag.svg', 'OIL-040', 1, '2026-02-20'),
  (9, 'beeswax-candle', 'Beeswax candles', 'A box of six, hand-dipped.', 'home', 1800, 88, 'candle.svg', 'WAX-001', 1, '2026-02-20'),
  (10, 'dustpan', 'Dustpan and brush', 'Horsehair and painted steel.', 'home', 2600, 21, 'brush.svg', 'BUR-019', 1, '2026-03-15'),
  (11, 'pocket-knife', 'Pocket knife', 'Carbon steel, olive wood.', 'outdoors', 5400, 0, 'knife.svg', 'SOL-035', 1, '2026-03-15'),
  (12, 'stoneware-jug', 'Stoneware jug', 'One litre, salt glaze.', 'kitchen', 3200, 26, 'jug.svg', 'CER-008', 1, '2026-04-02'),
  (13, 'willow-basket', 'Willow basket', 'For bread, wool or logs.', 'home', 4700, 14, 'basket.svg', 'WEI-004', 1, '2026-05-28'),
  (14, 'brass-bell', 'Brass bell', 'Heard across the field.', 'outdoors', 2900, 40, 'bell.svg', 'MES-011', 1, '2026-06-11'),
  (15, 'founders-print', 'Founders'' print', 'Not for sale yet.', 'home', 12000, 5, 'parcel.svg', 'INT-001', 0, '2026-09-01');

INSERT INTO orders (id, user_id, placed_on, total_cents, note) VALUES
  (1001, 2, '2026-08-14', 10300, ''),
  (1002, 3, '2026-08-30', 9800, 'gift: for Ada'),
  (1003, 2, '2026-09-21', 4000, ''),
  (1004, 3, '2026-10-05', 15200, 'leave with the neighbour');

INSERT INTO order_lines (order_id, product_id, quantity, price_cents) VALUES
  (1001, 1, 2, 950), (1001, 2, 1, 8400),
  (1002, 7, 1, 9800),
  (1003, 6, 1, 2200), (1003, 9, 1, 1800),
  (1004, 8, 2, 7600);
